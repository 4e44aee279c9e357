import type { SubmitOptions } from '../batching/job.ts'
import { type ErrorCode, REFUSAL_CODES, ServeError, toServeError } from '../errors.ts'
import type { Model, Prediction } from '../model/model.ts'
import { normalisePixels, readBinaryTensor, readHalfTensor, readJsonTensor } from '../preprocessing/tensor.ts'
import type { InputSpec } from '../repository/input-spec.ts'
import type { RawInput } from './inputs/raw-input.ts'
import type { RequestTrace, Services, StageTimings } from './services.ts'

/** What every protocol's request comes down to. */
export interface InferenceRequest extends SubmitOptions {
  model: Model
  inputs: RawInput[]
  /** On the services' clock (ms). */
  deadline: number
  context?: RequestTrace | undefined
  /** A failed input gets its error in its place; without it, one fails the whole request. */
  partial?: boolean
  /** Whether the answer has the decoded inputs too. */
  keepInputs?: boolean
}

export interface Inference {
  /** One per input, in their order. A ServeError only where `partial` was asked for. */
  predictions: (Prediction | ServeError)[]
  /** What the model saw, flat `[C, H, W]`, where a prediction was made of it; none unless `keepInputs`. */
  inputs: (Float32Array | undefined)[]
  timings: StageTimings
  /** The largest batch that held one of the inputs. */
  batchSize: number
  /** Whether all of them came from the cache. */
  cached: boolean
}

/** Codes that fail the whole request, even with `partial`. */
const WHOLE_REQUEST = new Set<ErrorCode>([...REFUSAL_CODES, 'deadline_exceeded', 'canceled', 'internal'])

/**
 * Decodes the inputs and asks the model; predictions keep the order of the inputs. What the queue would refuse is refused
 * before it is decoded. From then on the model enforces the deadline. Knows no protocol.
 */
export async function infer(services: Services, request: InferenceRequest): Promise<Inference> {
  const { clock, inFlight } = services
  const { statistics } = request.model
  const end = inFlight.begin()
  const startedAt = clock.now()
  try {
    const inference = await decodeAndPredict(services, request)
    const ms = clock.now() - startedAt
    const computed = inference.predictions.filter((each) => !(each instanceof ServeError || each.cached))
    if (inference.cached) statistics.observeCacheHit(ms)
    else statistics.observeSuccess(ms, inference.timings, computed.length)
    return inference
  } catch (error) {
    statistics.observeFailure(clock.now() - startedAt)
    throw error
  } finally {
    end()
  }
}

async function decodeAndPredict(services: Services, request: InferenceRequest): Promise<Inference> {
  const { clock } = services
  const { model, inputs: raw, partial = false, keepInputs = false } = request
  const refused = services.refusal(model, raw.length, request.deadline, request.priority)
  if (refused) throw refused
  const decodeStart = clock.now()
  const inputs = await decode(raw, model.manifest.input, services, request)
  const decodeMs = clock.now() - decodeStart
  request.context?.addStage('decode', decodeStart, decodeStart + decodeMs)
  const predictions = new Array<Prediction | ServeError>(raw.length)
  const decoded: { index: number; input: Float32Array }[] = []
  for (const [index, input] of inputs.entries()) {
    if (input instanceof Float32Array) decoded.push({ index, input })
    else predictions[index] = itemFailure(input)
  }
  if (!partial) throwFirstError(predictions)

  if (decoded.length > 0) {
    const answers = await model.predict(
      decoded.map(({ input }) => input),
      request,
    )
    for (const [i, { index }] of decoded.entries()) {
      const answer = answers[i] as Prediction | ServeError
      predictions[index] = answer instanceof ServeError ? itemFailure(answer) : answer
    }
    if (!partial) throwFirstError(predictions)
  }

  const succeeded = predictions.filter((prediction): prediction is Prediction => !(prediction instanceof ServeError))
  const longest = (of: (prediction: Prediction) => number): number =>
    succeeded.reduce((max, prediction) => Math.max(max, of(prediction)), 0)
  const timings = { decodeMs, queueMs: longest((p) => p.queueMs), computeMs: longest((p) => p.computeMs) }
  services.observeStages(timings)
  const cached = succeeded.length > 0 && succeeded.every((prediction) => prediction.cached)
  return {
    predictions,
    inputs: keepInputs ? inputs.map((input) => (input instanceof Float32Array ? input : undefined)) : [],
    timings,
    batchSize: longest((p) => p.batchSize),
    cached,
  }
}

/** Every input, or its own failure in its place. */
async function decode(
  raw: RawInput[],
  spec: InputSpec,
  { images }: Services,
  options: SubmitOptions,
): Promise<(Float32Array | ServeError)[]> {
  const pictures = raw.flatMap((input) => ('image' in input ? [input.image] : []))
  const decoded = pictures.length === 0 ? [] : await images.decodeAll(pictures, spec, options)
  return raw.map((input): Float32Array | ServeError => {
    if ('image' in input) return decoded.shift() as Float32Array | ServeError
    if ('error' in input) return input.error
    try {
      return readTensor(input, spec)
    } catch (error) {
      return toServeError(error, 'internal', 'the tensor could not be read')
    }
  })
}

function readTensor(input: Exclude<RawInput, { image: Uint8Array } | { error: ServeError }>, spec: InputSpec) {
  if ('tensor' in input) return readJsonTensor(input.tensor, spec)
  if ('half' in input) return readHalfTensor(input.half)
  return 'pixels' in input ? normalisePixels(input.pixels, spec) : readBinaryTensor(input.values)
}

/** The failure of one input. Throws what is the whole request's. */
function itemFailure(error: ServeError): ServeError {
  if (WHOLE_REQUEST.has(error.code)) throw error
  return error
}

function throwFirstError(predictions: (Prediction | ServeError)[]): void {
  for (const [index, prediction] of predictions.entries()) {
    if (prediction instanceof ServeError) throw prediction.atIndex(index)
  }
}
