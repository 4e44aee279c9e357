import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DIGITS, digitReader, GROUNDS, PENS, SIZES } from '../helpers/digit-reader.ts'

let reader: Awaited<ReturnType<typeof digitReader>>

beforeAll(async () => {
  reader = await digitReader()
})
afterAll(() => reader.stop())

describe('the default model', () => {
  const cases = GROUNDS.flatMap((ground) => SIZES.flatMap((size) => PENS.map((pen) => ({ ground, size, pen }))))

  it.each(cases)('reads all ten digits drawn $ground.name with a $pen.name pen at $size pixels', async (drawn) => {
    expect(await reader.readDigits(drawn)).toEqual(DIGITS)
  })
})
