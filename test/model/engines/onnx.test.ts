import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { CompiledGraph, CompileExtras, EngineOptions } from '../../../src/model/engines/engine.ts'
import { openOnnx } from '../../../src/model/engines/onnx.ts'
import { openSession } from '../../../src/model/engines/onnx-session.ts'
import { whyNotInt8 } from '../../../src/model/engines/processor.ts'
import type { Graph } from '../../../src/model/graph.ts'
import { loadExtras, loadGraph } from '../../../src/model/load-graph.ts'
import { parseManifest } from '../../../src/model/manifest.ts'
import { chooseRanges, observeBatch, observedValues } from '../../../src/model/quantization/calibrate.ts'
import { rowCosines } from '../../../src/model/quantization/cosine.ts'
import type { Quantization } from '../../../src/model/quantization/quantization.ts'
import { FIXTURE_BATCH, type ParityFixture, smallFixture } from '../parity-fixtures.ts'

/** Where integers saturate, int8 may rightly fail its own check. */
const UNFIT = whyNotInt8()

let fixture: ParityFixture
let graph: Graph
let quantization: Quantization
let reference: NonNullable<CompileExtras['reference']>

beforeAll(async () => {
  fixture = smallFixture()
  graph = loadGraph(fixture.entry)
  const session = await openSession(graph, { threads: 1, also: observedValues(graph) })
  const distributions = new Map()
  await observeBatch(graph, distributions, session.run, fixture.input, FIXTURE_BATCH)
  await session.release()
  quantization = chooseRanges(distributions)
  reference = { count: FIXTURE_BATCH, input: fixture.input, ...fixture.expected }
})

async function compile(precision: EngineOptions['precision'], extras: CompileExtras): Promise<CompiledGraph> {
  const engine = await openOnnx({ precision, threads: 1, tensorflowDir: '/nowhere' })
  const compiled = await engine.compile(graph, extras)
  onTestFinished(() => compiled.dispose())
  return compiled
}

/** As if this machine's integers were broken: the reference says otherwise. */
const contradicted = () => ({ ...reference, embedding: reference.embedding.map((value) => -value) })

it('keeps onnxruntime from reporting what it is used for', () => {
  expect(process.env.ORT_DISABLE_TELEMETRY).toBe('1')
})

describe('PRECISION=fp32', () => {
  it('computes in fp32, whatever the model has', async () => {
    expect(await compile('fp32', { quantization, reference })).toMatchObject({ precision: 'fp32' })
  })
})

describe('PRECISION=int8', () => {
  it.skipIf(UNFIT)('computes in int8, near to PyTorch and not equal to it', async () => {
    const compiled = await compile('int8', { quantization, reference })
    expect(compiled.precision).toBe('int8')
    const { embedding } = await compiled.run({ input: fixture.input, batchSize: FIXTURE_BATCH })
    const cosines = rowCosines(embedding, fixture.expected.embedding, FIXTURE_BATCH)
    expect(Math.min(...cosines)).toBeGreaterThan(0.998)
    expect(embedding).not.toEqual(fixture.expected.embedding)
  })

  it.skipIf(UNFIT)('checks itself against fp32 where the model brings no reference', async () => {
    expect((await compile('int8', { quantization })).precision).toBe('int8')
  })

  it('fails where the model has no scales, and says what writes them', async () => {
    await expect(compile('int8', { reference })).rejects.toThrow(
      'PRECISION=int8: the model has no scales for int8: model.json has no quantization, which `resnet-serve quantize` writes',
    )
  })

  it('fails where int8 answers unlike the reference, and says by how much', async () => {
    await expect(compile('int8', { quantization, reference: contradicted() })).rejects.toThrow(
      /^PRECISION=int8: int8 answers too unlike fp32 here: embeddings' cosine -0\.99\d\d, at least 0\.99 is needed$/,
    )
  })

  it('fails where the scales are so bad that int8 is not fp32 any more', async () => {
    const activations = Object.entries(quantization.activations).map(([name, { zero_point }]) => [
      name,
      { scale: 1e-3, zero_point },
    ])
    const spoilt = { ...quantization, activations: Object.fromEntries(activations) }
    await expect(compile('int8', { quantization: spoilt })).rejects.toThrow('too unlike fp32')
  })

  it('fails where the scales are of another model, with the value named', async () => {
    const { conv1, ...rest } = quantization.activations
    await expect(compile('int8', { quantization: { activations: rest, fp32: [] }, reference })).rejects.toThrow(
      'quantization: no scale for conv1',
    )
    const foreign = { activations: { ...quantization.activations, conv9: conv1 as never }, fp32: [] }
    await expect(compile('int8', { quantization: foreign, reference })).rejects.toThrow('the graph has no value conv9')
  })
})

describe('PRECISION=fp16', () => {
  it('is an error: onnx has no such thing', async () => {
    await expect(openOnnx({ precision: 'fp16', threads: 1, tensorflowDir: '' })).rejects.toThrow('PRECISION=fp16')
  })
})

describe('PRECISION=auto', () => {
  it('takes int8 where the processor is made for it, and else says why not', async () => {
    const expected = UNFIT === undefined ? { precision: 'int8' } : { precision: 'fp32', precisionReason: UNFIT }
    expect(await compile('auto', { quantization, reference })).toMatchObject(expected)
  })

  it('computes in fp32 where the model has no scales, and says so', async () => {
    expect(await compile('auto', { reference })).toMatchObject({
      precision: 'fp32',
      precisionReason: 'the model has no scales for int8: model.json has no quantization',
    })
  })

  it.skipIf(UNFIT)('falls back to fp32 where int8 answers unlike the reference, and answers rightly', async () => {
    const compiled = await compile('auto', { quantization, reference: contradicted() })
    expect(compiled).toMatchObject({
      precision: 'fp32',
      precisionReason: expect.stringContaining("int8 answers too unlike fp32 here: embeddings' cosine -0.99"),
    })
    const { embedding } = await compiled.run({ input: fixture.input, batchSize: FIXTURE_BATCH })
    expect(Math.min(...rowCosines(embedding, fixture.expected.embedding, FIXTURE_BATCH))).toBeGreaterThan(0.999999)
  })
})

describe.skipIf(UNFIT)('the default model', () => {
  const directory = fileURLToPath(new URL('../../../models/digits/1', import.meta.url))
  const entry = { directory, manifest: parseManifest(readFileSync(`${directory}/model.json`, 'utf8')) }

  it("keeps PyTorch's embeddings of its reference in int8: cosine 0.9995 on average, 0.998 at least", async () => {
    const digits = loadGraph(entry)
    const extras = loadExtras(entry)
    const { count, input, embedding } = extras.reference as typeof reference
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
