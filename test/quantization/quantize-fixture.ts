import { rowCosines } from '../../src/engines/cosine.ts'
import { openSession } from '../../src/engines/onnx/sessions.ts'
import { type QuantizeOptions, quantizeModel } from '../../src/quantization/quantize-model.ts'
import { SampleSet } from '../../src/quantization/sample-set.ts'
import { loadGraph } from '../../src/repository/load-graph.ts'
import { FIXTURE_BATCH, type ParityFixture, readParityFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

export const MIN_COSINE = 0.99

/** Calibrated and measured on the fixture's own three inputs. */
export function optionsFor({ entry, input }: ParityFixture, changes: Partial<QuantizeOptions> = {}): QuantizeOptions {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  const samples = SampleSet.open(temporaryFolder({ 'inputs.f32': bytes }), entry.manifest.input)
  return {
    graph: loadGraph(entry),
    labels: entry.manifest.labels,
    calibration: samples,
    evaluation: samples,
    fp32: [],
    minCosine: MIN_COSINE,
    threads: 1,
    onProgress: () => {},
    ...changes,
  }
}

/** Quantizes a parity fixture and runs it so. `toPytorch` is the least cosine of its embeddings to PyTorch's. */
export async function quantizeFixture(name: string) {
  const fixture = readParityFixture(name)
  const options = optionsFor(fixture)
  const { quantization, report } = await quantizeModel(options)
  const session = await openSession(options.graph, { threads: 1, quantization })
  const { [options.graph.outputs.embedding]: embedding } = await session.run(fixture.input, FIXTURE_BATCH)
  await session.release()
  const cosines = rowCosines(embedding as Float32Array, fixture.expected.embedding, FIXTURE_BATCH)
  return { report, toPytorch: Math.min(...cosines) }
}
