import { type TSchema, Type } from 'typebox'
import { errorAnswers } from '../error-format.ts'

const OpenInferenceError = Type.Object({ error: Type.String({ description: 'A sentence.' }) })

/** What routes of the protocol have in common. */
export function schemaOf(summary: string, answer: TSchema, more: object = {}) {
  return {
    summary,
    tags: ['open inference protocol'],
    ...more,
    response: {
      200: answer,
      ...errorAnswers(OpenInferenceError),
    } as Record<string, unknown>,
  }
}

export const ModelParams = Type.Object({ model: Type.String() })
export const VersionParams = Type.Object({ model: Type.String(), version: Type.String() })

const Shape = Type.Array(Type.Integer())
const Tensor = Type.Object({ name: Type.String(), datatype: Type.String(), shape: Shape })

export const ServerMetadata = Type.Object({
  name: Type.String(),
  version: Type.String(),
  extensions: Type.Array(Type.String()),
})
export const Live = Type.Object({ live: Type.Boolean() })
export const Ready = Type.Object({ ready: Type.Boolean(), live: Type.Boolean() })
export const ModelNames = Type.Object({ models: Type.Array(Type.String()) })
export const ModelReady = Type.Object({ name: Type.String(), ready: Type.Boolean() })

export const ModelMetadata = Type.Object({
  name: Type.String(),
  versions: Type.Array(Type.String()),
  platform: Type.String(),
  inputs: Type.Array(Tensor),
  outputs: Type.Array(Tensor),
})

const ConfigTensor = Type.Object({ name: Type.String(), data_type: Type.String(), dims: Shape })
export const ModelConfig = Type.Object({
  name: Type.String(),
  platform: Type.String(),
  backend: Type.String(),
  max_batch_size: Type.Integer(),
  input: Type.Array(ConfigTensor),
  output: Type.Array(ConfigTensor),
  dynamic_batching: Type.Object({}),
})

const Duration = Type.Object({ count: Type.Integer(), ns: Type.Integer() })
const durations = <Name extends string>(...names: Name[]) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Duration])))

export const ModelStatistics = Type.Object({
  model_stats: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.String(),
      last_inference: Type.Integer({ description: 'Milliseconds of Unix time.' }),
      inference_count: Type.Integer({ description: 'Inputs.' }),
      execution_count: Type.Integer({ description: 'Batches.' }),
      inference_stats: durations(
        'success',
        'fail',
        'queue',
        'compute_input',
        'compute_infer',
        'compute_output',
        'cache_hit',
      ),
      batch_stats: Type.Array(
        Type.Object({
          batch_size: Type.Integer(),
          compute_input: Duration,
          compute_infer: Duration,
          compute_output: Duration,
        }),
      ),
    }),
  ),
})
