import { readFileSync } from 'node:fs'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DIGITS, digitReader, GROUNDS, PENS, SIZES } from './helpers/digit-reader.ts'
import { drawScene, SCENES } from './helpers/scenes.ts'

/** The default model as it ships, on the engine that `auto` picks here, over HTTP. */
let reader: Awaited<ReturnType<typeof digitReader>>

beforeAll(async () => {
  reader = await digitReader()
})
afterAll(() => reader.stop())

const example = (name: string): Buffer => readFileSync(new URL(`../examples/${name}`, import.meta.url))

describe('the default model', () => {
  // Every size on every ground, and every pen with every size and on every ground; test/slow has all three together.
  const cases = GROUNDS.flatMap((ground, i) =>
    SIZES.map((size, j) => ({ ground, size, pen: PENS[(i + j) % PENS.length] ?? PENS[0] })),
  )

  it.each(cases)('reads all ten digits drawn $ground.name with a $pen.name pen at $size pixels', async (drawn) => {
    expect(await reader.readDigits(drawn)).toEqual(DIGITS)
  })

  it('reads the examples', async () => {
    expect(await reader.read([example('seven.png'), example('three.jpg')])).toEqual(['7', '3'])
  })

  it.each([0, 7])('reads a %i in every scene', async (digit) => {
    const labels = await reader.read(await Promise.all(SCENES.map((scene) => drawScene(scene, digit))))
    expect(labels.map((label, i) => `${label} ${SCENES[i]?.name}`)).toEqual(
      SCENES.map(({ name }) => `${digit} ${name}`),
    )
  })

  it('gives 10 logits and 256 numbers', async () => {
    const { body } = await request(reader.app.server)
      .post('/classify')
      .attach('file', example('seven.png'), 'seven.png')
    expect([body.results[0].logits.length, body.results[0].embedding.length]).toEqual([10, 256])
  })
})
