import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { inFile } from '../repository/in-file.ts'
import type { InputJson } from '../repository/input-spec.ts'
import type { Known } from './choices.ts'
import type { Preset } from './input-presets.ts'
import { readTimmConfig, TimmConfig, timmInput } from './timm-config.ts'
import { readTransformersConfig, TransformersConfig } from './transformers-config.ts'
import { Preprocessor, transformersInput } from './transformers-preprocessor.ts'

/** What the files beside the weights say: config.json and preprocessor_config.json of transformers and timm. */
export interface Beside {
  /** Undefined if no file says how pictures are prepared. */
  input: Preset | undefined
  labels: string[] | undefined
  known: Known
}

/** Reads what lies beside the weights. Throws a plain Error that names the file where it describes what is not served. */
export function readBeside(folder: string): Beside {
  const beside = readConfig(join(folder, 'config.json'))
  const path = join(folder, 'preprocessor_config.json')
  const preprocessor = readJson(path)
  if (preprocessor === undefined) return beside
  const { input } = inFile(path, () => inputFromJson(preprocessor))
  return { ...beside, input: { input, source: 'preprocessor_config.json' } }
}

function readConfig(path: string): Beside {
  const nothing: Beside = { input: undefined, labels: undefined, known: new Map() }
  const config = readJson(path)
  if (Value.Check(TimmConfig, config)) return { ...nothing, ...inFile(path, () => readTimmConfig(config)) }
  if (Value.Check(TransformersConfig, config))
    return { ...nothing, ...inFile(path, () => readTransformersConfig(config)) }
  return nothing
}

const OwnInput = Type.Object({ height: Type.Integer(), width: Type.Integer() })

/**
 * How pictures are prepared, as a file says: transformers' preprocessor_config.json, timm's config.json, or `input` of
 * model.json itself, which is checked when the model is read.
 */
export function inputFromJson(json: unknown): Pick<Preset, 'input'> {
  if (Value.Check(TimmConfig, json)) return { input: timmInput(json) }
  if (
    Value.Check(Preprocessor, json) &&
    ('image_processor_type' in json || 'feature_extractor_type' in json || 'size' in json)
  ) {
    return { input: transformersInput(json) }
  }
  if (Value.Check(OwnInput, json)) return { input: json as InputJson }
  throw new Error('neither a preprocessor_config.json, nor a config.json of timm, nor `input` of a model.json')
}

function readJson(path: string): unknown {
  if (!existsSync(path)) return undefined
  return inFile(path, () => JSON.parse(readFileSync(path, 'utf8')) as unknown)
}
