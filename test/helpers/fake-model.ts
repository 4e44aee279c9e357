import type { ServeError } from '../../src/errors.ts'
import type { Model, Prediction, PredictOptions } from '../../src/model/model.ts'
import { ModelStatistics } from '../../src/model/model-statistics.ts'
import type { PhotographSpec } from '../../src/repository/input-spec.ts'
import type { Manifest } from '../../src/repository/manifest.ts'
import { parseArchitecture } from '../../src/resnet/architecture.ts'

/** A manifest of a tiny model: 2 x 3 pixels, three classes, an embedding of four. */
export function fakeManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    name: 'fake',
    version: '1',
    architecture: parseArchitecture({ block: 'basic', layers: [1], width: 1, embedding_size: 4, num_classes: 3 }),
    input: { height: 2, width: 3, channels: 'grey', mean: [0], std: [1], fit: 'fill', invert: 'never', inkSize: 1 },
    labels: ['zero', 'one', 'two'],
    activation: 'softmax',
    maxBatchSize: Number.POSITIVE_INFINITY,
    weightsSha256: '0'.repeat(64),
    embeddingSpace: '0123456789abcdef',
    ...changes,
  }
}

/** `input` of such a model for photographs. */
export const PHOTOGRAPH_INPUT: PhotographSpec = {
  height: 2,
  width: 3,
  channels: 'rgb',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  resize: 4,
  crop: 'center',
  interpolation: 'bicubic',
  orientation: 'exif',
  alpha: 'white',
}

/** Answers at once, from the input alone: logits are its first three values, the embedding its last four. */
export class FakeModel implements Model {
  readonly manifest: Manifest
  readonly precision = 'fp32'
  readonly precisionReason = 'the model has no scales'
  readonly maxBatchSize = 32
  readonly statistics = new ModelStatistics()
  readonly calls: { inputs: Float32Array[]; options: PredictOptions }[] = []
  /** Put in the place of the answer, to act out failures and delays. */
  respond: (inputs: Float32Array[], options: PredictOptions) => ReturnType<Model['predict']> = async (inputs) =>
    inputs.map(answer)

  constructor(changes: Partial<Manifest> = {}) {
    this.manifest = fakeManifest(changes)
  }

  refusal(): ServeError | undefined {
    return undefined
  }

  predict(inputs: Float32Array[], options: PredictOptions = {}): ReturnType<Model['predict']> {
    this.calls.push({ inputs, options })
    return this.respond(inputs, options)
  }
}

/** A model that has an embedding only. */
export function withoutClassifier(changes: Partial<Manifest> = {}): FakeModel {
  const { architecture } = fakeManifest()
  const model = new FakeModel({ architecture: { ...architecture, numClasses: 0 }, labels: [], ...changes })
  model.respond = async (inputs) => inputs.map((input) => ({ ...answer(input), logits: new Float32Array() }))
  return model
}

export function answer(input: Float32Array): Prediction {
  return { logits: input.slice(0, 3), embedding: input.slice(2, 6), queueMs: 2, computeMs: 3, batchSize: 16 }
}
