import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, REFUSAL_CODES, ServeError } from '../errors.ts'
import type { Model, Prediction } from '../model/model.ts'
import { readBinaryTensor, readJsonTensor } from '../preprocessing/tensor.ts'
import type { InputSpec } from '../repository/manifest.ts'
import { clientSignal } from './client-signal.ts'
import type { RawInput } from './inputs/raw-input.ts'
import { readInputs } from './inputs/read-inputs.ts'
import type { Query } from './query.ts'
import type { Services, StageTimings } from './services.ts'

export interface Inference {
  model: Model
  /** One per input, in their order. A ServeError only where `partial` was asked for. */
  predictions: (Prediction | ServeError)[]
  timings: StageTimings
  /** The largest batch that held one of the inputs. */
  batchSize: number
  /** Whether all of them came from the cache. */
  cached: boolean
}

/** Codes that fail the whole request, even with `partial`. */
const WHOLE_REQUEST = new Set<ErrorCode>([...REFUSAL_CODES, 'deadline_exceeded', 'canceled'])

/**
 * Reads the inputs, decodes them and asks the model; predictions keep the order of the inputs. What the queue would
 * refuse is refused before it is decoded. From then on the model enforces the deadline.
 */
export async function infer(
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  query: Pick<Query, 'model' | 'version' | 'partial'>,
): Promise<Inference> {
  const { clock, limits } = services
  const model = services.models.get(query.model, query.version)
  const { deadline } = request
  const raw = await readInputs(request, model.manifest.input, limits)
  const refused = services.refusal(raw.length, deadline)
  if (refused) throw refused
  const decodeStart = clock.now()
  const predictions = new Array<Prediction | ServeError>(raw.length)
  const decoded: { index: number; input: Float32Array }[] = []
  await Promise.all(
    raw.map(async (input, index) => {
      try {
        decoded.push({ index, input: await decode(input, model.manifest.input, services) })
      } catch (error) {
        if (!isInputsOwn(error)) throw error
        predictions[index] = error
      }
    }),
  )
  const decodeMs = clock.now() - decodeStart
  if (!query.partial) throwFirstError(predictions)

  if (decoded.length > 0) {
    const inputs = decoded.map(({ input }) => input)
    const answers = await model.predict(inputs, { deadline, signal: clientSignal(reply) })
    for (const [i, { index }] of decoded.entries()) {
      const answer = answers[i] as Prediction | ServeError
      if (answer instanceof ServeError && !isInputsOwn(answer)) throw answer
      predictions[index] = answer
    }
    if (!query.partial) throwFirstError(predictions)
  }

  const succeeded = predictions.filter((prediction): prediction is Prediction => !(prediction instanceof ServeError))
  const longest = (of: (prediction: Prediction) => number): number =>
    succeeded.reduce((max, prediction) => Math.max(max, of(prediction)), 0)
  const timings = { decodeMs, queueMs: longest((p) => p.queueMs), computeMs: longest((p) => p.computeMs) }
  services.observeStages(timings)
  const cached = succeeded.length > 0 && succeeded.every((prediction) => prediction.cached)
  return { model, predictions, timings, batchSize: longest((p) => p.batchSize), cached }
}

async function decode(input: RawInput, spec: InputSpec, { images }: Services): Promise<Float32Array> {
  if ('error' in input) throw input.error
  if ('image' in input) return images.decode(input.image, spec)
  if ('tensor' in input) return readJsonTensor(input.tensor, spec.height, spec.width)
  return readBinaryTensor(input.values)
}

/** Whether the failure concerns one input alone. */
function isInputsOwn(error: unknown): error is ServeError {
  return error instanceof ServeError && !WHOLE_REQUEST.has(error.code)
}

function throwFirstError(predictions: (Prediction | ServeError)[]): void {
  for (const [index, prediction] of predictions.entries()) {
    if (prediction instanceof ServeError) throw prediction.atIndex(index)
  }
}
