import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DIGITS, digitReader, GROUNDS, PENS, SIZES } from '../helpers/digit-reader.ts'
import { drawScene, SCENES } from '../helpers/scenes.ts'

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

  const scenes = SCENES.flatMap((scene) => [false, true].map((dark) => ({ scene, dark, name: scene.name })))

  it.each(scenes)('reads all ten digits with every pen $name (inverted: $dark)', async ({ scene, dark }) => {
    for (const { name, width: pen } of PENS) {
      const pictures = DIGITS.map((_, digit) => drawScene(scene, digit, { pen, dark }))
      expect(await reader.read(await Promise.all(pictures)), name).toEqual(DIGITS)
    }
  })
})
