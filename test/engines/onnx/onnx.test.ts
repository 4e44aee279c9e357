import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { rowCosines } from '../../../src/engines/cosine.ts'
import type { CompiledGraph, EngineOptions } from '../../../src/engines/engine.ts'
import { openOnnx } from '../../../src/engines/onnx/onnx.ts'
import { openSession } from '../../../src/engines/onnx/sessions.ts'
import { chooseRanges, observeBatch, observedValues } from '../../../src/quantization/calibrate.ts'
import { loadExtras, loadGraph, type ModelExtras } from '../../../src/repository/load-graph.ts'
import { parseManifest } from '../../../src/repository/manifest.ts'
import type { Quantization } from '../../../src/repository/quantization.ts'
import type { Graph } from '../../../src/resnet/graph.ts'
import { FIXTURE_BATCH, type ParityFixture, relativeDifference, smallFixture } from '../../helpers/parity-fixtures.ts'

let fixture: ParityFixture
let graph: Graph
let quantization: Quantization
/** What int8 answers. */
let inInt8: NonNullable<ModelExtras['reference']>

beforeAll(async () => {
  fixture = smallFixture()
  graph = loadGraph(fixture.entry)
  const session = await openSession(graph, { threads: 1, also: observedValues(graph) })
  const distributions = new Map()
  await observeBatch(graph, distributions, session.run, fixture.input, FIXTURE_BATCH)
  await session.release()
  quantization = chooseRanges(distributions)
  const quantized = await openSession(graph, { threads: 1, quantization })
  const answers = await quantized.run(fixture.input, FIXTURE_BATCH)
  await quantized.release()
  const embedding = answers[graph.outputs.embedding] as Float32Array
  inInt8 = { count: FIXTURE_BATCH, input: fixture.input, ...fixture.expected, embedding }
})

async function compile(precision: EngineOptions['precision'], extras: ModelExtras): Promise<CompiledGraph> {
  const engine = await openOnnx({ precision, threads: 1, tensorflowDir: '/nowhere' })
  const compiled = await engine.compile(graph, extras)
  onTestFinished(() => compiled.dispose())
  return compiled
}

async function embeddingOf(compiled: CompiledGraph): Promise<Float32Array> {
  return (await compiled.run({ input: fixture.input, batchSize: FIXTURE_BATCH })).embedding
}

/** As if this machine's integers were broken: the reference says the opposite. */
const contradicted = () => ({ ...inInt8, embedding: inInt8.embedding.map((value) => -value) })

it('keeps onnxruntime from reporting what it is used for', () => {
  expect(process.env.ORT_DISABLE_TELEMETRY).toBe('1')
})

describe('PRECISION=fp32', () => {
  it('computes in fp32, whatever the model has', async () => {
    expect(await compile('fp32', { quantization, reference: inInt8 })).toMatchObject({ precision: 'fp32' })
  })
})

describe('PRECISION=int8', () => {
  it('computes in int8 where that answers as the reference says', async () => {
    const compiled = await compile('int8', { quantization, reference: inInt8 })
    expect(compiled.precision).toBe('int8')
    expect(await embeddingOf(compiled)).toEqual(inInt8.embedding)
    expect(inInt8.embedding).not.toEqual(fixture.expected.embedding)
  })

  it('checks itself against fp32 where the model brings no reference', async () => {
    const compiled = await compile('int8', { quantization })
    expect(compiled.precision).toBe('int8')
    expect(await embeddingOf(compiled)).not.toEqual(await embeddingOf(await compile('fp32', {})))
  })

  it('fails where the model has no scales, and says what writes them', async () => {
    await expect(compile('int8', { reference: inInt8 })).rejects.toThrow(
      'PRECISION=int8: the model has no scales for int8: model.json has no quantization, which `resnet-serve quantize` writes',
    )
  })

  it('fails where int8 answers unlike the reference, and says by how much', async () => {
    await expect(compile('int8', { quantization, reference: contradicted() })).rejects.toThrow(
      "PRECISION=int8: int8 differs too much from fp32 here: the embeddings' cosine is -1.0000, must be at least 0.99",
    )
  })

  it('fails where the scales are so bad that int8 is not fp32 any more', async () => {
    const activations = Object.entries(quantization.activations).map(([name, { zero_point }]) => [
      name,
      { scale: 1e-3, zero_point },
    ])
    const spoilt = { ...quantization, activations: Object.fromEntries(activations) }
    await expect(compile('int8', { quantization: spoilt })).rejects.toThrow('differs too much from fp32')
  })

  it('fails where the scales are of another model, with the value named', async () => {
    const { conv1, ...rest } = quantization.activations
    await expect(compile('int8', { quantization: { activations: rest, fp32: [] }, reference: inInt8 })).rejects.toThrow(
      'quantization: no scale for conv1',
    )
    const foreign = { activations: { ...quantization.activations, conv9: conv1 as never }, fp32: [] }
    await expect(compile('int8', { quantization: foreign, reference: inInt8 })).rejects.toThrow(
      'the graph has no value conv9',
    )
  })
})

describe.each(['fp16', 'bf16'] as const)('PRECISION=%s', (precision) => {
  it('is an error: onnx has no such thing', async () => {
    await expect(openOnnx({ precision, threads: 1, tensorflowDir: '' })).rejects.toThrow(`PRECISION=${precision}`)
  })
})

describe('PRECISION=auto', () => {
  it('takes int8 where the model has scales', async () => {
    expect(await compile('auto', { quantization, reference: inInt8 })).toMatchObject({ precision: 'int8' })
  })

  it('computes in fp32 where the model has no scales, and says so', async () => {
    expect(await compile('auto', { reference: inInt8 })).toMatchObject({
      precision: 'fp32',
      precisionReason: 'the model has no scales for int8: model.json has no quantization',
    })
  })

  it('falls back to fp32 where int8 answers unlike the reference, and answers rightly', async () => {
    const compiled = await compile('auto', { quantization, reference: contradicted() })
    expect(compiled).toMatchObject({
      precision: 'fp32',
      precisionReason: expect.stringContaining(
        "int8 differs too much from fp32 here: the embeddings' cosine is -1.0000",
      ),
    })
    expect(relativeDifference(await embeddingOf(compiled), fixture.expected.embedding)).toBeLessThanOrEqual(1e-3)
  })
})

describe('the default model', () => {
  const directory = fileURLToPath(new URL('../../../models/digits/1', import.meta.url))
  const entry = { directory, manifest: parseManifest(readFileSync(`${directory}/model.json`, 'utf8')) }

  it("keeps PyTorch's embeddings of its reference in int8: cosine 0.9995 on average, 0.998 at least", async () => {
    const digits = loadGraph(entry)
    const extras = loadExtras(entry)
    const { count, input, embedding } = extras.reference as typeof inInt8
    expect(count).toBe(16)
    const engine = await openOnnx({ precision: 'int8', threads: 1, tensorflowDir: '' })
    const compiled = await engine.compile(digits, extras)
    const answers = await compiled.run({ input, batchSize: count })
    await compiled.dispose()
    const cosines = rowCosines(answers.embedding, embedding, count)
    expect(cosines.reduce((sum, cosine) => sum + cosine) / count).toBeGreaterThan(0.9995)
    expect(Math.min(...cosines)).toBeGreaterThan(0.998)
  })
})
