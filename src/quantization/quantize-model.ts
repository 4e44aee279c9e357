import { type OnnxSession, openSession } from '../engines/onnx/sessions.ts'
import type { Quantization } from '../repository/quantization.ts'
import type { Graph } from '../resnet/graph.ts'
import { chooseRanges, type Distributions, observeBatch, observedBytes, observedValues } from './calibrate.ts'
import { type Answers, answersOf, type Comparison, compare } from './comparison.ts'
import { layerErrors } from './layer-errors.ts'
import type { SampleSet } from './sample-set.ts'
import { sensitiveNodes } from './sensitive-nodes.ts'

/** Most bytes of observed values in a batch. */
const WATCHED_BYTES = 64 * 2 ** 20
const MAX_BATCH = 32

/** Samples for the search of nodes to keep in fp32, and for the errors of each layer. */
const SEARCH_SAMPLES = 64
const LAYER_SAMPLES = 16

export interface QuantizeOptions {
  graph: Graph
  /** The model's class names, in the order of its logits. */
  labels: string[]
  calibration: SampleSet
  /** Other samples than those of the calibration. */
  evaluation: SampleSet
  /** Nodes to keep in fp32 in any case. */
  fp32: string[]
  /** More nodes stay in fp32 until the smallest cosine reaches this. */
  minCosine: number
  threads: number
  onProgress: (stage: string, done: number, total: number) => void
}

interface Report {
  calibration_samples: number
  evaluation: Comparison
}

export interface Quantized {
  quantization: Quantization
  report: Report
  /** Relative error of each value, in the order of the graph. */
  layers: Record<string, number>
}

/**
 * Chooses a model's scales by running it in fp32, and measures what they cost. The same samples give the same scales.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<Quantized> {
  const { graph, evaluation, threads, onProgress } = options
  const batchSize = Math.max(1, Math.min(MAX_BATCH, Math.floor(WATCHED_BYTES / observedBytes(graph))))
  const distributions = await observe(options, batchSize)

  const answers = async (samples: SampleSet, stage?: string, quantization?: Quantization): Promise<Answers> =>
    withSession(openSession(graph, { threads, quantization }), (session) =>
      answersOf(session, graph, samples, batchSize, (done) => stage && onProgress(stage, done, samples.size)),
    )
  const inFp32 = await answers(evaluation, 'fp32')
  const ranges = chooseRanges(distributions, options.fp32)

  const few = evaluation.spread(SEARCH_SAMPLES)
  const fewInFp32 = await answers(few)
  const sensitive = await sensitiveNodes(
    observedValues(graph).filter((name) => !options.fp32.includes(name)),
    ranges,
    async (quantization) => compare(fewInFp32, await answers(few, undefined, quantization), []).cosine_min,
    options.minCosine,
    (done, total) => onProgress('sensitive layers', done, total),
  )
  const quantization = { ...ranges, fp32: [...ranges.fp32, ...sensitive] }
  const report = {
    calibration_samples: options.calibration.size,
    evaluation: compare(inFp32, await answers(evaluation, 'int8', quantization), options.labels),
  }
  return { quantization: { ...quantization, report }, report, layers: await errors(options, quantization) }
}

async function observe(options: QuantizeOptions, batchSize: number): Promise<Distributions> {
  const { graph, calibration, threads, onProgress } = options
  const distributions: Distributions = new Map()
  await withSession(openSession(graph, { threads, also: observedValues(graph) }), async (session) => {
    let done = 0
    for await (const { input, size } of calibration.batches(batchSize)) {
      await observeBatch(graph, distributions, session.run, input, size)
      done += size
      onProgress('ranges', done, calibration.size)
    }
  })
  return distributions
}

async function errors({ graph, evaluation, threads }: QuantizeOptions, quantization: Quantization) {
  const also = observedValues(graph)
  return withSession(openSession(graph, { threads, also }), (fp32) =>
    withSession(openSession(graph, { threads, also, quantization }), (int8) =>
      layerErrors(fp32, int8, also, evaluation.spread(LAYER_SAMPLES), 1),
    ),
  )
}

async function withSession<T>(opening: Promise<OnnxSession>, use: (session: OnnxSession) => Promise<T>): Promise<T> {
  const session = await opening
  try {
    return await use(session)
  } finally {
    await session.release()
  }
}
