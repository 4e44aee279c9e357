import type { Model } from '../../model/model.ts'
import { channelCount } from '../../repository/input-spec.ts'
import type { Manifest } from '../../repository/manifest.ts'
import { name, version } from '../info.ts'
import type { Services } from '../services.ts'

/** The input of every model. */
export const INPUT_NAME = 'input'

/** What works always. */
const EXTENSIONS = [
  'binary_tensor_data',
  'classification',
  'model_configuration',
  'parameters',
  'schedule_policy',
  'statistics',
]

/** A vector for each input, float32. */
export interface Output {
  name: 'logits' | 'probabilities' | 'embedding'
  length: number
}

/** A model without a classifier has an embedding only. */
export function outputsOf({ architecture: { numClasses, embeddingSize } }: Manifest): Output[] {
  const embedding: Output = { name: 'embedding', length: embeddingSize }
  if (numClasses === 0) return [embedding]
  return [{ name: 'logits', length: numClasses }, { name: 'probabilities', length: numClasses }, embedding]
}

/** Its extensions are those that work; who may change models (`ADMIN_API_KEY`) is set for each server. */
export function serverMetadata({ repository }: Pick<Services, 'repository'>) {
  return { name, version, extensions: repository ? [...EXTENSIONS, 'model_repository'] : EXTENSIONS }
}

/** `versions`: all that are loaded of the model's name. `engine`: what runs it. */
export function modelMetadata({ manifest }: Model, versions: string[], engine: string | undefined) {
  return {
    name: manifest.name,
    versions,
    platform: platform(engine),
    inputs: [{ name: INPUT_NAME, datatype: 'FP32', shape: [-1, ...inputDimensions(manifest)] }],
    outputs: outputsOf(manifest).map(({ name, length }) => ({ name, datatype: 'FP32', shape: [-1, length] })),
  }
}

/** Triton's model configuration, as far as its clients and perf_analyzer use it. */
export function modelConfig({ manifest, maxBatchSize }: Model, engine: string | undefined) {
  return {
    name: manifest.name,
    platform: platform(engine),
    backend: name,
    max_batch_size: maxBatchSize,
    input: [{ name: INPUT_NAME, data_type: 'TYPE_FP32', format: 'FORMAT_NCHW', dims: inputDimensions(manifest) }],
    output: outputsOf(manifest).map(({ name, length }) => ({ name, data_type: 'TYPE_FP32', dims: [length] })),
    dynamic_batching: {},
  }
}

function platform(engine = 'none'): string {
  return `${name}_${engine}`
}

function inputDimensions({ input }: Manifest): number[] {
  return [channelCount(input), input.height, input.width]
}
