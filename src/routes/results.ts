import { ServeError } from '../errors.ts'
import type { Model, Prediction } from '../model/model.ts'
import type { Manifest } from '../repository/manifest.ts'
import { shortestFloat32 } from './float32-json.ts'
import type { Query } from './query.ts'
import { nestedInput } from './seen-input.ts'

export interface ScoredClass {
  label: string
  class_id: number
  /** What the model's activation makes of the logit; with `none`, the logit. */
  probability: number
}

interface ItemError {
  error: { code: string; detail: string }
}

/** The parts of one input's result that both routes share, as selected by `include`. */
export interface Parts {
  top?: ScoredClass[]
  /** The serializer prints float32 (`server/serialize-json.ts`). */
  logits?: Float32Array
  embedding?: Float32Array | string
  /** `[C][H][W]`, normalised: what the model saw. Sent back as a `tensor`, it has the same answer. */
  input?: Float32Array[][]
}

/** `input` is what the prediction was made of, where `include` names it. */
export function partsOf(prediction: Prediction, model: Model, query: Query, input?: Float32Array): Parts {
  const parts: Parts = {}
  if (query.include.has('top')) parts.top = topClasses(prediction.logits, model.manifest, query.topK)
  if (query.include.has('logits')) parts.logits = prediction.logits
  if (query.include.has('embedding')) {
    const embedding = embeddingOf(prediction, query)
    parts.embedding = query.base64 ? bytesOf(embedding).toString('base64') : embedding
  }
  if (input !== undefined) parts.input = nestedInput(input, model.manifest.input)
  return parts
}

/** The embedding, scaled to length 1 with `normalize` (a zero vector stays zero). */
export function embeddingOf({ embedding }: Prediction, query: Pick<Query, 'normalize'>): Float32Array {
  if (!query.normalize) return embedding
  const length = Math.hypot(...embedding)
  return length === 0 ? embedding : embedding.map((value) => value / length)
}

/** Little-endian float32. */
export function bytesOf(vector: Float32Array): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
}

/**
 * The `k` most probable classes in descending order; of equals the lower class first. Every activation keeps the order of
 * the logits, which do not round to equals as large probabilities do.
 */
export function topClasses(
  logits: Float32Array,
  { labels, activation }: Pick<Manifest, 'labels' | 'activation'>,
  k: number,
): ScoredClass[] {
  const probabilities = probabilitiesOf(logits, activation)
  // Numbers alone are sorted much faster than classes by their numbers: so all are, and then the few classes.
  const least = logits.toSorted().at(-k) ?? Number.NEGATIVE_INFINITY
  const likely: number[] = []
  for (const [id, logit] of logits.entries()) if (logit >= least) likely.push(id)
  likely.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b)
  return likely.slice(0, k).map((id) => ({
    label: labels[id] as string,
    class_id: id,
    probability: shortestFloat32(probabilities[id] as number),
  }))
}

/** What the model's activation makes of its logits, in the order of the classes; with `none`, the logits themselves. */
export function probabilitiesOf(logits: Float32Array, activation: Manifest['activation']): Float32Array {
  return new Float32Array(ACTIVATIONS[activation](logits))
}

const ACTIVATIONS: Record<Manifest['activation'], (logits: Float32Array) => Float32Array | Float64Array> = {
  softmax,
  // A power that overflows gives 0, as it must.
  sigmoid: (logits) => Float64Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit))),
  none: (logits) => logits,
}

/** In float64, the maximum subtracted first so that no logit overflows. */
function softmax(logits: Float32Array): Float64Array {
  const maximum = logits.reduce((max, logit) => Math.max(max, logit), Number.NEGATIVE_INFINITY)
  const powers = new Float64Array(logits).map((logit) => Math.exp(logit - maximum))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

/** `results` of an answer: `make` of each prediction and its place, and the error of each failed input. */
export function results<T>(
  predictions: (Prediction | ServeError)[],
  make: (prediction: Prediction, index: number) => T,
): (T | ItemError)[] {
  return predictions.map((prediction, index) =>
    prediction instanceof ServeError
      ? { error: { code: prediction.code, detail: prediction.message } }
      : make(prediction, index),
  )
}
