import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, REFUSAL_CODES, ServeError } from '../errors.ts'
import { readBinaryTensor, readJsonTensor } from '../model/input/tensor.ts'
import type { InputSpec } from '../model/manifest.ts'
import type { Model, Prediction } from '../model/model.ts'
import { clientSignal } from './client-signal.ts'
import { deadlineOf } from './deadline.ts'
import type { RawInput } from './inputs/raw-input.ts'
import { readInputs } from './inputs/read-inputs.ts'
import type { Services, StageTimings } from './services.ts'

export interface Inference {
  model: Model
  /** One per input, in their order. A ServeError only where `partial` was asked for. */
  outcomes: (Prediction | ServeError)[]
  timings: StageTimings
  /** The largest batch that held one of the inputs. */
  batchSize: number
}

export interface InferOptions {
  model: string | undefined
  version: string | undefined
  /** Leave a failed input's error in its place, instead of failing the request. */
  partial: boolean
}

/** Failures that are not one input's own: with these the request fails, whether or not it asked for partial results. */
const WHOLE_REQUEST = new Set<ErrorCode>([...REFUSAL_CODES, 'deadline_exceeded', 'canceled'])

/**
 * What every inference protocol does: read the inputs, decode them, ask the model, keep the order. The deadline is
 * checked before and after decoding; from there on the model keeps it. Nothing is decoded that would be refused.
 */
export async function infer(
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  options: InferOptions,
): Promise<Inference> {
  const { clock, limits } = services
  if (services.readiness() === 'starting')
    throw new ServeError('starting', 'the model is being loaded', { retryAfterS: 1 })
  const model = services.models.get(options.model, options.version)
  const deadline = deadlineOf(request, limits)
  assertInTime(services, deadline)
  const raw = await readInputs(request, model.manifest.input, limits)
  const refused = services.refusal(raw.length, deadline)
  if (refused) throw refused
  const decodeStart = clock.now()
  const inputs = await Promise.all(raw.map((input) => decode(input, model.manifest.input, services)))
  const decodeMs = clock.now() - decodeStart
  if (!options.partial) throwFirstError(inputs)
  assertInTime(services, deadline)

  const valid = inputs.filter((input) => input instanceof Float32Array)
  const predicted = valid.length > 0 ? await model.predict(valid, { deadline, signal: clientSignal(reply) }) : []
  const shared = predicted.find((outcome) => outcome instanceof ServeError && WHOLE_REQUEST.has(outcome.code))
  if (shared instanceof ServeError) throw shared
  let next = 0
  const outcomes = inputs.map((input) =>
    input instanceof ServeError ? input : (predicted[next++] as Prediction | ServeError),
  )
  if (!options.partial) throwFirstError(outcomes)

  const predictions = outcomes.filter((outcome): outcome is Prediction => !(outcome instanceof ServeError))
  const longest = (of: (prediction: Prediction) => number): number =>
    predictions.reduce((max, p) => Math.max(max, of(p)), 0)
  const timings = { decodeMs, queueMs: longest((p) => p.queueMs), computeMs: longest((p) => p.computeMs) }
  services.observeStages(timings)
  return { model, outcomes, timings, batchSize: longest((p) => p.batchSize) }
}

/** A failure is the input's own outcome, so that the others go on. */
async function decode(input: RawInput, spec: InputSpec, { images }: Services): Promise<Float32Array | ServeError> {
  try {
    if ('image' in input) return await images.decode(input.image, spec)
    if ('tensor' in input) return readJsonTensor(input.tensor, spec.height, spec.width)
    return readBinaryTensor(input.values)
  } catch (error) {
    if (error instanceof ServeError && !WHOLE_REQUEST.has(error.code)) return error
    throw error
  }
}

function throwFirstError(outcomes: unknown[]): void {
  const index = outcomes.findIndex((outcome) => outcome instanceof ServeError)
  if (index >= 0) throw (outcomes[index] as ServeError).atIndex(index)
}

function assertInTime({ clock }: Services, deadline: number): void {
  if (clock.now() >= deadline)
    throw new ServeError('deadline_exceeded', 'the deadline passed before the model was asked')
}
