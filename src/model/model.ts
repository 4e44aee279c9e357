import type { CancelSignal } from '../batching/job.ts'
import type { ServeError } from '../errors.ts'
import type { Precision } from './engines/engine.ts'
import type { Manifest } from './manifest.ts'

/** What one forward pass says of one input, and what it cost. */
export interface Prediction {
  /** `[numClasses]` */
  logits: Float32Array
  /** `[embeddingSize]` */
  embedding: Float32Array
  /** Milliseconds between asking and the start of the batch that held the input. */
  queueMs: number
  /** Milliseconds that batch took. */
  computeMs: number
  /** Inputs in that batch. */
  batchSize: number
}

export interface PredictOptions {
  /** On the clock's scale (milliseconds); after it the input is dropped with `deadline_exceeded`. */
  deadline?: number | undefined
  /** Aborted when nobody waits for the answer any more; the input is then dropped with `canceled`. */
  signal?: CancelSignal | undefined
}

/**
 * A loaded model. Batching is a decorator of this interface (`batched-model.ts`), so whoever holds a Model cannot tell
 * whether its inputs share a batch with anybody's.
 */
export interface Model {
  readonly manifest: Manifest
  /** What the engine computes this model in. */
  readonly precision: Precision
  /** Why it is not a faster one, where `PRECISION=auto` might have taken it. */
  readonly precisionReason: string | undefined
  /**
   * Inputs of shape `[1, height, width]`, normalised, each a flat array of its own. One outcome per input, in their
   * order; an input that fails alone has its ServeError there. Rejects with a ServeError when none was accepted.
   */
  predict(inputs: Float32Array[], options?: PredictOptions): Promise<(Prediction | ServeError)[]>
}
