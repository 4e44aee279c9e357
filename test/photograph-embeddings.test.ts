import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cosine } from '../src/engines/cosine.ts'
import type { CompiledGraph } from '../src/engines/engine.ts'
import { openEngine } from '../src/engines/open.ts'
import { ImageDecoder } from '../src/preprocessing/image-decoder.ts'
import type { PhotographSpec } from '../src/repository/input-spec.ts'
import { loadGraph } from '../src/repository/load-graph.ts'
import { readParityFixture } from './helpers/parity-fixtures.ts'

/** From a file's bytes to the embedding, as torchvision did it: training/photograph_embeddings.py, whose transforms these are. */
const EXPECTED = Object.entries<number[]>(
  JSON.parse(readFileSync(new URL('fixtures/photograph-embeddings.json', import.meta.url), 'utf8')),
)
const INPUT: PhotographSpec = {
  height: 36,
  width: 36,
  channels: 'rgb',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  resize: 40,
  crop: 'center',
  interpolation: 'bilinear',
  orientation: 'ignore',
  alpha: 'drop',
}

const decoder = new ImageDecoder({ maxPixels: 1_000_000, maxSide: 5000, timeoutS: 10, maxPending: 1 })
let graph: CompiledGraph

beforeAll(async () => {
  const { directory, manifest } = readParityFixture('torchvision-basic').entry
  const { engine } = await openEngine('onnx', { threads: 1, precision: 'fp32', tensorflowDir: '' })
  graph = await engine.compile(loadGraph({ directory, manifest: { ...manifest, input: INPUT } }))
})
afterAll(() => graph.dispose())

async function embed(name: string, input: PhotographSpec): Promise<Float32Array> {
  const picture = readFileSync(new URL(`fixtures/pictures/${name}`, import.meta.url))
  return (await graph.run({ input: await decoder.decode(picture, input), batchSize: 1 })).embedding
}

describe('the embedding of a photograph', () => {
  it.each(EXPECTED)("has the direction of the one from torchvision's own pipeline: %s", async (name, expected) => {
    expect(cosine(await embed(name, INPUT), expected)).toBeGreaterThanOrEqual(0.9999)
  })

  it.each<Partial<PhotographSpec>>([
    { channels: 'bgr' },
    { interpolation: 'nearest' },
    { resize: [36, 36] },
    { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  ])('has another direction if the photograph is prepared otherwise: %o', async (change) => {
    const [name, expected] = EXPECTED[0] as [string, number[]]
    expect(cosine(await embed(name, { ...INPUT, ...change }), expected)).toBeLessThan(0.9999)
  })
})
