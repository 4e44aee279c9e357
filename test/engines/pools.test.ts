import { describe, expect, it } from 'vitest'
import type { Engine, EngineName } from '../../src/engines/engine.ts'
import { openEngine } from '../../src/engines/open.ts'
import { randomNumbers } from '../../src/engines/random.ts'
import type { Graph, GraphNode } from '../../src/resnet/graph.ts'

/** As in parity.test.ts, which holds whole models. */
const NAMES = (process.env.PARITY_ENGINES ?? 'onnx,wasm').split(',') as EngineName[]
const tensorflowDir = process.env.TENSORFLOW_DIR ?? '/nowhere'

const engines: Engine[] = []
for (const name of NAMES)
  engines.push((await openEngine(name, { threads: 1, precision: 'fp32', tensorflowDir })).engine)

/** Odd and even, down to less than one window. */
const SIZES = [
  [1, 1],
  [2, 3],
  [5, 4],
  [7, 6],
  [1, 8],
] as const

type Pool = Extract<GraphNode, { op: 'maxpool' | 'averagepool' }>

/** A graph of the pool alone, for a picture of one channel. */
function graphOf(pool: Pool, height: number, width: number): Graph {
  return { input: { name: 'input', shape: [1, height, width] }, nodes: [pool], outputs: { embedding: pool.name } }
}

/** The numbers under each window, by PyTorch's rule: those beyond the edge are not there. */
function windows(
  values: Float32Array,
  [height, width]: readonly [number, number],
  kernel: number,
  pad: number,
): number[][] {
  const found: number[][] = []
  for (let top = -pad; top + pad < height; top += 2) {
    for (let left = -pad; left + pad < width; left += 2) {
      const inside = (at: number, size: number) => at >= 0 && at < size
      const window: number[] = []
      for (let y = top; y < top + kernel; y++) {
        for (let x = left; x < left + kernel; x++) {
          if (inside(y, height) && inside(x, width)) window.push(values[y * width + x] as number)
        }
      }
      found.push(window)
    }
  }
  return found
}

describe.each(engines)('$name', (engine) => {
  async function answer(pool: Pool, input: Float32Array, [height, width]: readonly [number, number]) {
    const compiled = await engine.compile(graphOf(pool, height, width))
    try {
      return [...(await compiled.run({ input, batchSize: 1 })).embedding]
    } finally {
      await compiled.dispose()
    }
  }

  it.each(SIZES)(
    'takes the largest of a %i x %i picture, which is negative and is never the zero of a padding',
    async (...size) => {
      const next = randomNumbers(3)
      const input = Float32Array.from({ length: size[0] * size[1] }, () => -1 - next())
      const shape = [1, ...size.map((length) => Math.ceil(length / 2))]
      const pool: Pool = { op: 'maxpool', name: 'largest', input: 'input', kernel: 3, stride: 2, pad: 1, shape }
      expect(await answer(pool, input, size)).toEqual(windows(input, size, 3, 1).map((window) => Math.max(...window)))
    },
  )

  it.each(SIZES)('averages what is there of a %i x %i picture', async (...size) => {
    const [height, width] = size
    const input = Float32Array.from({ length: height * width }, randomNumbers(4))
    const shape = [1, ...size.map((length) => Math.ceil(length / 2))]
    const pool: Pool = { op: 'averagepool', name: 'mean', input: 'input', height, width, shape }
    const means = windows(input, size, 2, 0).map((window) => window.reduce((sum, value) => sum + value) / window.length)
    expect(await answer(pool, input, size)).toEqual(means.map((mean) => expect.closeTo(mean, 5)))
  })
})
