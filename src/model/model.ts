import type { Answer, SubmitOptions } from '../batching/job.ts'
import type { Outputs, Precision } from '../engines/engine.ts'
import type { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { ModelStatistics } from './model-statistics.ts'

/**
 * The outputs of one forward pass for one input (`logits` `[numClasses]`, `embedding` `[embeddingSize]`), and what they
 * cost.
 */
export interface Prediction extends Answer<Outputs> {
  /** True if the answer was computed earlier or for another caller, so that it cost nothing. */
  cached?: boolean
}

export type PredictOptions = SubmitOptions

/** A loaded model. Batching and caching are hidden behind this interface. */
export interface Model {
  readonly manifest: Manifest
  readonly precision: Precision
  /** Why `PRECISION=auto` did not choose a faster precision; undefined if it had no choice. */
  readonly precisionReason: string | undefined
  /** Most inputs in one batch: the least of what the server and model.json allow. */
  readonly maxBatchSize: number
  /** Of all requests for it, whatever their protocol. */
  readonly statistics: ModelStatistics
  /**
   * Why a request of this many inputs would be refused now; asked before work is spent on them. `deadline` is on the
   * batcher's clock (ms).
   */
  refusal(inputs: number, deadline: number): ServeError | undefined
  /**
   * Each input is a flat array of shape `[C, height, width]`, normalised. Returns one prediction per input, in order;
   * an input that fails alone gets its ServeError. Rejects with a ServeError if no input was accepted.
   */
  predict(inputs: Float32Array[], options?: PredictOptions): Promise<(Prediction | ServeError)[]>
}
