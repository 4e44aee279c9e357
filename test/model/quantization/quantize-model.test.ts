import { describe, expect, it } from 'vitest'
import { openSession } from '../../../src/model/engines/onnx-session.ts'
import { whyNotInt8 } from '../../../src/model/engines/processor.ts'
import { loadGraph } from '../../../src/model/load-graph.ts'
import { observedValues } from '../../../src/model/quantization/calibrate.ts'
import { rowCosines } from '../../../src/model/quantization/cosine.ts'
import { type QuantizeOptions, quantizeModel } from '../../../src/model/quantization/quantize-model.ts'
import { SampleSet } from '../../../src/model/quantization/sample-set.ts'
import { FIXTURE_BATCH, type ParityFixture, parityNames, readParityFixture, smallFixture } from '../parity-fixtures.ts'
import { temporaryFolder } from '../temporary-folder.ts'

/** Calibrated and measured on the fixture's own three inputs. */
function optionsFor({ entry, input }: ParityFixture, changes: Partial<QuantizeOptions> = {}): QuantizeOptions {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  const samples = SampleSet.open(temporaryFolder({ 'inputs.f32': bytes }), entry.manifest.input)
  return {
    graph: loadGraph(entry),
    labels: entry.manifest.labels,
    calibration: samples,
    evaluation: samples,
    fp32: [],
    minCosine: 0.99,
    threads: 1,
    onProgress: () => {},
    ...changes,
  }
}

// Where integers saturate, what int8 answers is no measure of the scales.
describe.skipIf(whyNotInt8())('quantizeModel', () => {
  it.each(parityNames)("keeps PyTorch's embeddings within a cosine of 0.99: %s", async (name) => {
    const fixture = readParityFixture(name)
    const options = optionsFor(fixture)
    const { quantization, report } = await quantizeModel(options)
    const session = await openSession(options.graph, { threads: 1, quantization })
    const { [options.graph.outputs.embedding]: embedding } = await session.run(fixture.input, FIXTURE_BATCH)
    await session.release()
    const cosines = rowCosines(embedding as Float32Array, fixture.expected.embedding, FIXTURE_BATCH)
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.989)
    expect(report.evaluation.cosine_min).toBeGreaterThanOrEqual(0.99)
    expect(quantization.fp32.length).toBeLessThan(observedValues(options.graph).length)
  })

  it('gives every value a scale, its input too, and an error to every layer', async () => {
    const options = optionsFor(smallFixture())
    const { quantization, layers } = await quantizeModel(options)
    const names = observedValues(options.graph)
    expect(Object.keys(quantization.activations).sort()).toEqual(['input', ...names].sort())
    expect(Object.keys(layers)).toEqual(names)
    for (const error of Object.values(layers)) expect(error).toBeGreaterThan(0)
  })

  it('gives the same scales for the same samples', async () => {
    const [first, second] = [
      await quantizeModel(optionsFor(smallFixture())),
      await quantizeModel(optionsFor(smallFixture())),
    ]
    expect(second).toEqual(first)
  })

  it('returns layers to fp32 where more is asked than int8 gives', async () => {
    const { quantization, report } = await quantizeModel(optionsFor(smallFixture(), { minCosine: 0.9999 }))
    expect(quantization.fp32.length).toBeGreaterThan(0)
    expect(report.evaluation.cosine_min).toBeGreaterThanOrEqual(0.9999)
  })

  it('keeps in fp32 what it is told to, and names a node that there is not', async () => {
    const { quantization } = await quantizeModel(optionsFor(smallFixture(), { fp32: ['conv1'] }))
    expect(quantization.fp32).toEqual(['conv1'])
    await expect(quantizeModel(optionsFor(smallFixture(), { fp32: ['conv9'] }))).rejects.toThrow('no value conv9')
  })

  it('tells how far each stage is', async () => {
    const seen = new Map<string, number>()
    await quantizeModel(
      optionsFor(smallFixture(), { onProgress: (stage, done, total) => seen.set(stage, done / total) }),
    )
    expect([...seen]).toEqual([
      ['ranges', 1],
      ['fp32', 1],
      ['int8', 1],
    ])
  })
})
