import { afterAll, describe, expect, it } from 'vitest'
import { cosine } from '../../src/engines/cosine.ts'
import type { CompiledGraph, Engine, EngineName, Outputs } from '../../src/engines/engine.ts'
import { openEngine } from '../../src/engines/open.ts'
import { padToSizes } from '../../src/engines/padded-graph.ts'
import { loadGraph } from '../../src/repository/load-graph.ts'
import {
  FIXTURE_BATCH,
  type ParityFixture,
  parityNames,
  parityRoot,
  readParityFixture,
  relativeDifference,
  rowOf,
} from '../helpers/parity-fixtures.ts'

const TOLERANCE = 1e-3
/**
 * The two deepest fixtures, whose weights are random, lose direction to the rounding of the weights alone: PyTorch, with
 * nothing but those in half precision, keeps 0.9995 of it at full width, and with everything in half 0.9985. One or two
 * channels wide, as the tests' own are, they lose more, and depth 50 loses some, since there is nothing for the noise to
 * average out over; how much also depends on the kernels that the processor gets (0.99987 and 0.99991 at depth 50).
 */
function leastHalfCosine({ entry }: ParityFixture): number {
  const { block, layers, planes } = entry.manifest.architecture
  const blocks = layers.reduce((sum, count) => sum + count)
  const isNarrow = (planes[0] as number) <= 2
  if (blocks > 16) return isNarrow ? 0.99 : 0.998
  return isNarrow && block === 'bottleneck' ? 0.9995 : 0.9999
}

/** Three bits fewer than fp16, and as large a range as fp32. Of the deepest, random weights leave not much. */
function leastBfloat16Cosine({ entry }: ParityFixture): number {
  const { block, layers } = entry.manifest.architecture
  if (block === 'basic') return 0.999
  return layers.reduce((sum, count) => sum + count) > 16 ? 0.9 : 0.98
}

const leastCosine = { fp16: leastHalfCosine, bf16: leastBfloat16Cosine }

/**
 * One process has room for one of the engines on tfjs, whose copies share their global state: PARITY_ENGINES=tensorflow,
 * with TENSORFLOW_DIR, holds native TensorFlow to PyTorch, and cuda likewise.
 */
const NAMES = (process.env.PARITY_ENGINES ?? 'onnx,wasm').split(',') as EngineName[]
const TENSORFLOW_DIR = process.env.TENSORFLOW_DIR ?? '/nowhere'

const engines: Engine[] = []
for (const name of NAMES) {
  engines.push((await openEngine(name, { threads: 1, precision: 'fp32', tensorflowDir: TENSORFLOW_DIR })).engine)
}

const measured: Record<string, string>[] = []
const measuredHalf: Record<string, string | number>[] = []

describe.each(engines)('$name against PyTorch', (engine) => {
  it.each(parityNames)('answers as PyTorch does, as one batch and item by item: %s', async (name) => {
    const fixture = readParityFixture(name)
    const graph = await engine.compile(loadGraph(fixture.entry))
    try {
      const batch = differences(fixture, await graph.run({ input: fixture.input, batchSize: FIXTURE_BATCH }))
      const single = differences(fixture, await runSingly(graph, fixture))
      measured.push({ model: name, engine: engine.name, ...columns('batch', batch), ...columns('single', single) })
      for (const difference of [batch.logits, batch.embedding, single.logits, single.embedding]) {
        expect(difference).toBeLessThanOrEqual(TOLERANCE)
      }
    } finally {
      await graph.dispose()
    }
  })

  it('gives the same answers to a batch that is padded up', async () => {
    const fixture = readParityFixture(parityNames[0] ?? '')
    const graph = padToSizes(await engine.compile(loadGraph(fixture.entry)), [1, 4, 8])
    const { logits, embedding } = differences(
      fixture,
      await graph.run({ input: fixture.input, batchSize: FIXTURE_BATCH }),
    )
    await graph.dispose()
    expect(logits).toBeLessThanOrEqual(TOLERANCE)
    expect(embedding).toBeLessThanOrEqual(TOLERANCE)
  })
})

const halves = engines.flatMap(({ name }) => [
  ...(name === 'cuda' || name === 'tensorflow' ? [{ name, precision: 'fp16' as const }] : []),
  ...(name === 'tensorflow' ? [{ name, precision: 'bf16' as const }] : []),
])

describe.each(halves)('$name in $precision', ({ name, precision }) => {
  it.each(parityNames)("keeps the direction of PyTorch's fp32 embeddings: %s", async (model) => {
    const fixture = readParityFixture(model)
    const options = { threads: 1, precision, tensorflowDir: TENSORFLOW_DIR }
    const graph = await (await openEngine(name, options)).engine.compile(loadGraph(fixture.entry))
    try {
      const { embedding } = await graph.run({ input: fixture.input, batchSize: FIXTURE_BATCH })
      for (let i = 0; i < FIXTURE_BATCH; i++) {
        const similarity = cosine(rowOf(embedding, i), rowOf(fixture.expected.embedding, i))
        measuredHalf.push({ model, engine: name, precision, item: i, 'cosine to fp32': similarity })
        expect(similarity).toBeGreaterThanOrEqual(leastCosine[precision](fixture))
      }
    } finally {
      await graph.dispose()
    }
  })
})

afterAll(() => {
  if (process.env.PARITY_FIXTURES) {
    console.log(`Largest difference to PyTorch over the largest value of the vector, ${parityRoot}:`)
    console.table(measured)
    if (measuredHalf.length > 0) console.table(measuredHalf)
  }
})

async function runSingly(graph: CompiledGraph, { input }: ParityFixture): Promise<Outputs> {
  const rows: Outputs[] = []
  // Copied, since an engine may keep what it was given and answer with memory that it uses again.
  for (let i = 0; i < FIXTURE_BATCH; i++)
    rows.push(structuredClone(await graph.run({ input: rowOf(input, i).slice(), batchSize: 1 })))
  return {
    logits: Float32Array.from(rows.flatMap(({ logits }) => [...logits])),
    embedding: Float32Array.from(rows.flatMap(({ embedding }) => [...embedding])),
  }
}

/** The worst of the items. */
function differences({ expected }: ParityFixture, actual: Outputs): { logits: number; embedding: number } {
  const worst = (key: keyof Outputs): number => {
    expect(actual[key]).toHaveLength(expected[key].length)
    const items = [...Array(FIXTURE_BATCH).keys()]
    return Math.max(...items.map((i) => relativeDifference(rowOf(actual[key], i), rowOf(expected[key], i))))
  }
  return { logits: worst('logits'), embedding: worst('embedding') }
}

function columns(prefix: string, values: Record<string, number>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${key}, ${prefix}`, value.toExponential(1)]))
}
