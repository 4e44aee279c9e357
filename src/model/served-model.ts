import { Batcher, type BatcherOptions } from '../batching/batcher.ts'
import type { Priority } from '../batching/job.ts'
import type { Outputs, Precision } from '../engines/engine.ts'
import { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { EnginePool } from '../workers/pool.ts'
import type { Model, Prediction, PredictOptions } from './model.ts'
import { ModelStatistics } from './model-statistics.ts'

/** One batcher serves every model. The model is the key, so a batch never mixes two models. */
export type ModelBatcher = Batcher<ServedModel, Float32Array, Outputs>

type Engine = Pick<EnginePool, 'count' | 'ready' | 'offer' | 'run'>

/** Each model has its own bound on batches. */
export function createModelBatcher(
  engine: Engine,
  options: Omit<BatcherOptions<ServedModel>, 'maxBatchSizeOf'>,
): ModelBatcher {
  return new Batcher(
    {
      get count() {
        return engine.count
      },
      get ready() {
        return engine.ready
      },
      offer: (waiting, maxBatchSize) => engine.offer(waiting, maxBatchSize),
      async run(model, inputs) {
        const outputs = await engine.run(model.key, { inputs, batchSize: inputs.length })
        const { numClasses, embeddingSize } = model.manifest.architecture
        return inputs.map((_, i) => ({
          logits: outputs.logits.subarray(i * numClasses, (i + 1) * numClasses),
          embedding: outputs.embedding.subarray(i * embeddingSize, (i + 1) * embeddingSize),
        }))
      },
    },
    {
      ...options,
      maxBatchSizeOf: ({ maxBatchSize }) => maxBatchSize,
      onBatch: (batch) => {
        batch.key.statistics.observeBatch(batch.size, batch.computeMs)
        options.onBatch?.(batch)
      },
    },
  )
}

/** A model that the engine has loaded. Its inputs share batches with those of other requests. */
export class ServedModel implements Model {
  /** The engine's name for it. */
  readonly key: string
  readonly manifest: Manifest
  readonly precision: Precision
  readonly precisionReason: string | undefined
  readonly maxBatchSize: number
  readonly statistics = new ModelStatistics()
  readonly #batcher: ModelBatcher

  constructor(
    key: string,
    manifest: Manifest,
    { precision, precisionReason, maxBatchSize }: Pick<Model, 'precision' | 'precisionReason' | 'maxBatchSize'>,
    batcher: ModelBatcher,
  ) {
    this.key = key
    this.manifest = manifest
    this.precision = precision
    this.precisionReason = precisionReason
    this.maxBatchSize = maxBatchSize
    this.#batcher = batcher
  }

  refusal(inputs: number, deadline: number, priority?: Priority): ServeError | undefined {
    return this.#batcher.refusal(this, inputs, deadline, priority)
  }

  async predict(inputs: Float32Array[], options: PredictOptions = {}): Promise<(Prediction | ServeError)[]> {
    const predictions = await this.#batcher.submit(this, inputs, options)
    return predictions.map((prediction) => (prediction instanceof ServeError ? prediction : finite(prediction)))
  }
}

/** The prediction, or the input's failure where the network overflowed on it. No class is made of such numbers. */
function finite(prediction: Prediction): Prediction | ServeError {
  if (areFinite(prediction.logits) && areFinite(prediction.embedding)) return prediction
  return new ServeError('invalid_tensor', 'the model’s answer to this input is not finite')
}

/** A loop: `every` would make a number object of each value, 4 KB for an answer. */
function areFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}
