import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SubmitOptions } from '../batching/job.ts'
import { type ErrorCode, REFUSAL_CODES, ServeError, toServeError } from '../errors.ts'
import type { Model, Prediction } from '../model/model.ts'
import { readBinaryTensor, readJsonTensor } from '../preprocessing/tensor.ts'
import type { InputSpec } from '../repository/input-spec.ts'
import { clientSignal } from './client-signal.ts'
import type { RawInput } from './inputs/raw-input.ts'
import { readInputs } from './inputs/read-inputs.ts'
import type { Query } from './query.ts'
import type { Services, StageTimings } from './services.ts'

export interface Inference {
  /** One per input, in their order. A ServeError only where `partial` was asked for. */
  predictions: (Prediction | ServeError)[]
  timings: StageTimings
  /** The largest batch that held one of the inputs. */
  batchSize: number
  /** Whether all of them came from the cache. */
  cached: boolean
}

/** Codes that fail the whole request, even with `partial`. */
const WHOLE_REQUEST = new Set<ErrorCode>([...REFUSAL_CODES, 'deadline_exceeded', 'canceled', 'internal'])

/**
 * Reads the inputs, decodes them and asks `model`; predictions keep the order of the inputs. What the queue would
 * refuse is refused before it is decoded. From then on the model enforces the deadline.
 */
export async function infer(
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  model: Model,
  query: Pick<Query, 'partial'>,
): Promise<Inference> {
  const { clock, limits } = services
  const { deadline } = request
  const raw = await readInputs(request, model.manifest.input, limits)
  const refused = services.refusal(model, raw.length, deadline)
  if (refused) throw refused
  const signal = clientSignal(reply)
  const decodeStart = clock.now()
  const inputs = await decode(raw, model.manifest.input, services, { deadline, signal })
  const decodeMs = clock.now() - decodeStart
  const predictions = new Array<Prediction | ServeError>(raw.length)
  const decoded: { index: number; input: Float32Array }[] = []
  for (const [index, input] of inputs.entries()) {
    if (input instanceof Float32Array) decoded.push({ index, input })
    else predictions[index] = itemFailure(input)
  }
  if (!query.partial) throwFirstError(predictions)

  if (decoded.length > 0) {
    const answers = await model.predict(
      decoded.map(({ input }) => input),
      { deadline, signal },
    )
    for (const [i, { index }] of decoded.entries()) {
      const answer = answers[i] as Prediction | ServeError
      predictions[index] = answer instanceof ServeError ? itemFailure(answer) : answer
    }
    if (!query.partial) throwFirstError(predictions)
  }

  const succeeded = predictions.filter((prediction): prediction is Prediction => !(prediction instanceof ServeError))
  const longest = (of: (prediction: Prediction) => number): number =>
    succeeded.reduce((max, prediction) => Math.max(max, of(prediction)), 0)
  const timings = { decodeMs, queueMs: longest((p) => p.queueMs), computeMs: longest((p) => p.computeMs) }
  services.observeStages(timings)
  const cached = succeeded.length > 0 && succeeded.every((prediction) => prediction.cached)
  return { predictions, timings, batchSize: longest((p) => p.batchSize), cached }
}

/** Every input, or its own failure in its place. */
async function decode(
  raw: RawInput[],
  spec: InputSpec,
  { images }: Services,
  options: SubmitOptions,
): Promise<(Float32Array | ServeError)[]> {
  const pictures = raw.flatMap((input) => ('image' in input ? [input.image] : []))
  const decoded = await images.decodeAll(pictures, spec, options)
  return raw.map((input): Float32Array | ServeError => {
    if ('image' in input) return decoded.shift() as Float32Array | ServeError
    if ('error' in input) return input.error
    try {
      return 'tensor' in input ? readJsonTensor(input.tensor, spec) : readBinaryTensor(input.values)
    } catch (error) {
      return toServeError(error, 'internal', 'the tensor could not be read')
    }
  })
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
