import { type Static, Type } from 'typebox'
import type { Known } from './choices.ts'

/** transformers' config.json. Loose where we read nothing: the file has many more fields. */
export const TransformersConfig = Type.Object({
  model_type: Type.String(),
  hidden_act: Type.Optional(Type.String()),
  downsample_in_bottleneck: Type.Optional(Type.Boolean()),
  downsample_in_first_stage: Type.Optional(Type.Boolean()),
  id2label: Type.Optional(Type.Record(Type.String(), Type.String())),
})

/** What config.json says. Throws a plain Error where it describes what is not served. */
export function readTransformersConfig(config: Static<typeof TransformersConfig>): {
  labels: string[] | undefined
  known: Known
} {
  const { model_type, hidden_act = 'relu', downsample_in_bottleneck, downsample_in_first_stage, id2label } = config
  if (model_type !== 'resnet') throw new Error(`model_type is ${model_type}; only resnet is served`)
  if (hidden_act !== 'relu') throw new Error(`hidden_act is ${hidden_act}; only relu is served`)
  if (downsample_in_first_stage) throw new Error('downsample_in_first_stage is not served')
  const known: Known = new Map([
    ['stride-on', { value: downsample_in_bottleneck ? '1x1' : '3x3', source: 'config.json' }],
    ['stem-stride', { value: '2', source: 'transformers' }],
    ['max-pool', { value: 'yes', source: 'transformers' }],
  ])
  return { labels: labelsOf(id2label), known }
}

/** Undefined unless there is one for each class, and one of them is more than its number. */
function labelsOf(id2label: Record<string, string> | undefined): string[] | undefined {
  if (id2label === undefined) return undefined
  const labels = Object.keys(id2label).map((_, id) => id2label[id])
  const isNamed = labels.some((label, id) => label !== `LABEL_${id}`)
  return isNamed && labels.every((label) => label !== undefined) ? (labels as string[]) : undefined
}
