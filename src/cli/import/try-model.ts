import { concatenate } from '../../engines/concatenate.ts'
import type { Engine, Outputs } from '../../engines/engine.ts'
import { openEngine } from '../../engines/open.ts'
import { randomNumbers } from '../../engines/random.ts'
import { countValues, type Graph } from '../../resnet/graph.ts'

/** Inputs computed at once: what a ResNet-152 at 224 pixels has memory for. */
const CHUNK = 4

/** A CPU engine in this process, in fp32: the fast one, or the portable one where that does not run. */
export async function openCpuEngine(threads: number, tensorflowDir: string): Promise<Engine> {
  const options = { threads, precision: 'fp32', tensorflowDir, forFewRuns: true } as const
  const { engine } = await openEngine('onnx', options).catch(() => openEngine('wasm', options))
  return engine
}

/** Runs the graph on `[count, C, H, W]` inputs. What the engine allocated is freed. */
export async function answersOf(engine: Engine, graph: Graph, input: Float32Array, count: number): Promise<Outputs> {
  const compiled = await engine.compile(graph)
  const length = countValues(graph.input.shape)
  const chunks: Outputs[] = []
  try {
    for (let from = 0; from < count; from += CHUNK) {
      const batchSize = Math.min(CHUNK, count - from)
      const rows = input.subarray(from * length, (from + batchSize) * length)
      // Copied, since an engine may answer with memory that it uses again.
      chunks.push(structuredClone(await compiled.run({ input: rows, batchSize })))
    }
  } finally {
    await compiled.dispose()
  }
  return {
    logits: concatenate(chunks.map(({ logits }) => logits)),
    embedding: concatenate(chunks.map(({ embedding }) => embedding)),
  }
}

/** One input of noise, the same each time. */
export function noise({ input }: Graph): Float32Array {
  const next = randomNumbers(1)
  return Float32Array.from({ length: countValues(input.shape) }, () => 2 * next() - 1)
}
