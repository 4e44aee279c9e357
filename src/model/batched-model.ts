import { hash } from 'node:crypto'
import { Batcher, type BatcherOptions } from '../batching/batcher.ts'
import { ServeError } from '../errors.ts'
import type { Precision } from './engines/engine.ts'
import type { Manifest } from './manifest.ts'
import type { Model, Prediction, PredictOptions } from './model.ts'

/** One batcher serves every model of an engine; the model itself is the key, so no batch mixes two. */
export type ModelBatcher = Batcher<Model, Float32Array, Prediction>

type Options = Omit<BatcherOptions<Model, Float32Array, Prediction>, 'run' | 'identify'>

export function createModelBatcher(options: Options): ModelBatcher {
  return new Batcher({
    ...options,
    async run(model, inputs) {
      const outcomes = await model.predict(inputs)
      return outcomes.map((outcome) => {
        if (outcome instanceof ServeError) throw outcome
        return outcome
      })
    },
    // A cryptographic hash, since whoever can make two inputs collide would be given somebody else's answer.
    identify: (input) => hash('sha256', new Uint8Array(input.buffer, input.byteOffset, input.byteLength), 'base64'),
  })
}

/** The same model, its inputs sharing batches with everybody's. */
export class BatchedModel implements Model {
  readonly manifest: Manifest
  readonly precision: Precision
  readonly precisionReason: string | undefined
  readonly #inner: Model
  readonly #batcher: ModelBatcher

  constructor(inner: Model, batcher: ModelBatcher) {
    this.manifest = inner.manifest
    this.precision = inner.precision
    this.precisionReason = inner.precisionReason
    this.#inner = inner
    this.#batcher = batcher
  }

  async predict(inputs: Float32Array[], options: PredictOptions = {}): Promise<(Prediction | ServeError)[]> {
    const answers = await this.#batcher.submit(this.#inner, inputs, options)
    return answers.map((answer) => {
      if (answer instanceof ServeError) return answer
      const { output, queueMs, computeMs, batchSize } = answer
      return { logits: output.logits, embedding: output.embedding, queueMs, computeMs, batchSize }
    })
  }
}
