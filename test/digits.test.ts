import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/server/config.ts'
import { createServing, type Serving } from '../src/server/serving.ts'
import { type Drawing, drawDigit } from './helpers/drawn-digits.ts'

/** The default model as it ships, on the engine that `auto` picks here, over HTTP. */
let serving: Serving

beforeAll(async () => {
  serving = await createServing(loadConfig({}), pino({ level: 'silent' }), (reason) => expect.fail(reason))
  await serving.start()
  await serving.app.ready()
})
afterAll(() => serving.stop())

async function read(pictures: Buffer[]): Promise<string[]> {
  const form = request(serving.app.server).post('/classify?include=top&top_k=1')
  for (const [i, picture] of pictures.entries()) form.attach(`digit-${i}`, picture, `${i}.png`)
  const { body } = await form
  return body.results.map(({ label }: { label: string }) => label)
}

const TEN = Array.from({ length: 10 }, (_, digit) => digit)
const example = (name: string): Buffer => readFileSync(new URL(`../examples/${name}`, import.meta.url))

describe('the default model', () => {
  const grounds = {
    'dark on light': { paper: 235, ink: 30 },
    'light on dark': { paper: 12, ink: 240 },
    faint: { paper: 200, ink: 130 },
  }
  const sizes = [28, 64, 150, 320, 640]
  const pens = { thin: 0.015, middling: 0.035, thick: 0.055 }
  const cases = Object.entries(grounds).flatMap(([ground, colours]) =>
    sizes.flatMap((size) =>
      Object.entries(pens).map(([pen, width]) => ({ ground, size, pen, drawing: { ...colours, size, pen: width } })),
    ),
  )

  it.each<{ ground: string; size: number; pen: string; drawing: Drawing }>(cases)(
    'reads all ten digits drawn $ground with a $pen pen at $size pixels',
    async ({ drawing }) => {
      const pictures = await Promise.all(TEN.map((digit) => drawDigit(digit, drawing)))
      expect(await read(pictures)).toEqual(TEN.map(String))
    },
  )

  it('reads the examples', async () => {
    expect(await read([example('seven.png'), example('three.jpg')])).toEqual(['7', '3'])
  })

  it('gives 10 logits and 256 numbers', async () => {
    const { body } = await request(serving.app.server)
      .post('/classify')
      .attach('file', example('seven.png'), 'seven.png')
    expect([body.results[0].logits.length, body.results[0].embedding.length]).toEqual([10, 256])
  })
})
