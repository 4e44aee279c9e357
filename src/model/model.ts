import type { Answer, SubmitOptions } from '../batching/job.ts'
import type { Outputs, Precision } from '../engines/engine.ts'
import type { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'

/** What one forward pass says of one input (`logits` `[numClasses]`, `embedding` `[embeddingSize]`), and what it cost. */
export interface Prediction extends Answer<Outputs> {
  /** True where the answer was computed before, or for somebody else at the same time, and cost nothing. */
  cached?: boolean
}

export type PredictOptions = SubmitOptions

/**
 * A loaded model. Batching and caching hide behind this interface, so whoever holds a Model cannot tell whether its inputs
 * share a batch with anybody's.
 */
export interface Model {
  readonly manifest: Manifest
  /** What the engine computes this model in. */
  readonly precision: Precision
  /** Why it is not a faster one, where `PRECISION=auto` might have taken it. */
  readonly precisionReason: string | undefined
  /**
   * Inputs of shape `[1, height, width]`, normalised, each a flat array of its own. One prediction per input, in their
   * order; an input that fails alone has its ServeError there. Rejects with a ServeError when none was accepted.
   */
  predict(inputs: Float32Array[], options?: PredictOptions): Promise<(Prediction | ServeError)[]>
}
