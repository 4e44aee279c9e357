import type { ScoredClass } from '../../routes/results.ts'

/** What makes the embeddings of two runs comparable, and more. */
export interface ModelIdentity {
  name: string
  version: string
  /** docs/embeddings.md */
  embeddingSpace: string
  /** Numbers in an embedding. */
  dimensions: number
  /** 0 for a model without classifier. */
  classes: number
}

export interface Embedded {
  path: string
  embedding: Float32Array
  /** The likeliest classes, best first; none of a model without classifier. */
  top: ScoredClass[]
}

/** A picture that the model cannot read, and never will. */
export interface Failed {
  path: string
  error: { code: string; detail: string }
}

export type Answer = Embedded | Failed

/** A model that pictures in files are given to: in processes of this command, or on a server. */
export interface Predictor {
  readonly model: ModelIdentity
  /** Pictures in one call of `predict`, and calls at once, that keep the model busy. Known after `start`. */
  readonly picturesPerCall: number
  readonly concurrency: number
  /** Makes it ready; seconds where engines are opened and weights are read. */
  start(): Promise<void>
  /** An answer for each path, in order. Rejects if the model could not be asked: another try may succeed. */
  predict(paths: string[]): Promise<Answer[]>
  /** Rejects when the model can never be asked again; never resolves. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

export interface PredictorOptions {
  model?: string
  version?: string
  repository?: string
  url?: string
  apiKey?: string
  /** Embeddings of length 1 (L2). */
  normalize: boolean
  /** Classes in `top`. */
  topK: number
}

/**
 * Predicts every path, several at once, in no order; `onAnswer` is awaited before more is asked. When `signal` is
 * aborted, it returns at once, and what has been asked is lost.
 */
export async function predictAll(
  predictor: Predictor,
  paths: readonly string[],
  onAnswer: (answer: Answer, index: number) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let next = 0
  let failed = false
  const work = async (): Promise<void> => {
    try {
      while (next < paths.length && !signal.aborted && !failed) {
        const first = next
        next += predictor.picturesPerCall
        const answers = await predictor.predict(paths.slice(first, next))
        for (const [i, answer] of answers.entries()) await onAnswer(answer, first + i)
      }
    } catch (error) {
      failed = true
      throw error
    }
  }
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const done = Promise.all(Array.from({ length: predictor.concurrency }, work))
  await Promise.race([done, predictor.failed, aborted])
}
