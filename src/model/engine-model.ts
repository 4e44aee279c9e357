import type { Clock } from '../batching/clock.ts'
import type { Precision } from './engines/engine.ts'
import type { EnginePool } from './engines/engine-pool.ts'
import type { LoadedInfo } from './engines/protocol.ts'
import type { Manifest } from './manifest.ts'
import type { Model, Prediction } from './model.ts'

/** A model without batching: each `predict` is one run on the engine, all inputs together. */
export class EngineModel implements Model {
  readonly manifest: Manifest
  readonly precision: Precision
  readonly precisionReason: string | undefined
  readonly #key: string
  readonly #engine: Pick<EnginePool, 'run'>
  readonly #clock: Clock

  constructor(
    engine: Pick<EnginePool, 'run'>,
    key: string,
    manifest: Manifest,
    loaded: Pick<LoadedInfo, 'precision' | 'precisionReason'>,
    clock: Clock,
  ) {
    this.#engine = engine
    this.#key = key
    this.manifest = manifest
    this.precision = loaded.precision
    this.precisionReason = loaded.precisionReason
    this.#clock = clock
  }

  async predict(inputs: Float32Array[]): Promise<Prediction[]> {
    const start = this.#clock.now()
    const { logits, embedding } = await this.#engine.run(this.#key, concatenate(inputs), inputs.length)
    const computeMs = this.#clock.now() - start
    const { numClasses, embeddingSize } = this.manifest.architecture
    return inputs.map((_, i) => ({
      logits: logits.subarray(i * numClasses, (i + 1) * numClasses),
      embedding: embedding.subarray(i * embeddingSize, (i + 1) * embeddingSize),
      queueMs: 0,
      computeMs,
      batchSize: inputs.length,
    }))
  }
}

/** Arrays of one length, end to end. */
function concatenate(rows: Float32Array[]): Float32Array {
  const length = rows[0]?.length ?? 0
  const all = new Float32Array(length * rows.length)
  for (const [i, row] of rows.entries()) all.set(row, i * length)
  return all
}
