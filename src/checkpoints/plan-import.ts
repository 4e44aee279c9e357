import { readFileSync } from 'node:fs'
import { inFile } from '../repository/in-file.ts'
import type { ArchitectureJson } from '../resnet/architecture.ts'
import { type Beside, inputFromJson, readBeside } from './beside.ts'
import { applyChoices, type Choice, type Known } from './choices.ts'
import { type FoundResNet, findResNet, type Wanted } from './find-resnet.ts'
import {
  type Preset,
  smallPreset,
  timmPreset,
  torchvisionPreset,
  transformersPreset,
  withSize,
} from './input-presets.ts'
import { knownFromModules } from './known-from-modules.ts'
import { readLabels } from './labels.ts'
import type { Checkpoint } from './open-checkpoint.ts'
import { type Recognized, recognize } from './recognize.ts'

export interface PlanOptions extends Wanted {
  /** `torchvision`, `timm`, `huggingface`, or a JSON file. */
  preprocessing?: string | undefined
  /** Height and width of the input. */
  size?: [number, number] | undefined
  /** File of class names. */
  labels?: string | undefined
  /** Values of choices by their flag. */
  choices: Record<string, string | undefined>
}

/** A choice as it is made, and who made it. */
export interface MadeChoice {
  choice: Choice
  value: string
  source: string
  /** Neither the command line nor a file says: `--check` may try the other values. */
  isOpen: boolean
}

/** All that an import needs to know, before anything is written. */
export interface ImportPlan {
  found: FoundResNet
  recognized: Recognized
  choices: MadeChoice[]
  input: Preset
  /** Undefined where no file has them: classes then have their numbers. */
  labels: string[] | undefined
}

/** Throws a plain Error that says what is in the way and what would help. */
export function planImport(checkpoint: Checkpoint, options: PlanOptions): ImportPlan {
  const found = findResNet(checkpoint.stateDicts, options)
  const recognized = recognize(found, found.stateDict.tensors)
  const beside = readBeside(checkpoint.folder)
  const { num_classes: classes = 0 } = recognized.architecture
  const labels = options.labels === undefined ? beside.labels : readLabels(options.labels, classes)
  return {
    found,
    recognized,
    choices: makeChoices(recognized.choices, options.choices, new Map([...knownFromModules(found), ...beside.known])),
    input: resolveInput(recognized.architecture, options, beside),
    // What config.json says may be of the classifier that was replaced.
    labels: labels?.length === classes && classes > 0 ? labels : undefined,
  }
}

/** The architecture with the choices of the plan. */
export function plannedArchitecture({ recognized, choices }: ImportPlan): ArchitectureJson {
  return applyChoices(
    recognized.architecture,
    choices.map(({ choice }) => choice),
    choices.map(({ value }) => value),
  )
}

function makeChoices(choices: Choice[], flags: PlanOptions['choices'], known: Known): MadeChoice[] {
  for (const [flag, value] of Object.entries(flags)) {
    if (value !== undefined && !choices.some((choice) => choice.flag === flag)) {
      throw new Error(`--${flag}: the checkpoint leaves no such choice`)
    }
  }
  return choices.map((choice) => {
    const { flag, values } = choice
    const given = flags[flag]
    if (given !== undefined) {
      if (!values.includes(given)) throw new Error(`--${flag} is one of ${values.join(', ')} here, not ${given}`)
      return { choice, value: given, source: `--${flag}`, isOpen: false }
    }
    const file = known.get(flag)
    if (file !== undefined) return { choice, ...file, isOpen: false }
    return { choice, value: values[0] as string, source: 'default', isOpen: true }
  })
}

function resolveInput(architecture: ArchitectureJson, options: PlanOptions, beside: Beside): Preset {
  const { in_channels: channels = 1, stem } = architecture
  const preset = named(options.preprocessing, channels, beside) ?? beside.input ?? usual(channels, stem)
  return options.size === undefined ? preset : { ...preset, input: withSize(preset.input, options.size) }
}

function usual(channels: number, stem: ArchitectureJson['stem']): Preset {
  return stem?.convs[0]?.stride === 1 ? smallPreset(channels) : torchvisionPreset(channels)
}

function named(name: string | undefined, channels: number, beside: Beside): Preset | undefined {
  switch (name) {
    case undefined:
      return undefined
    case 'torchvision':
      return torchvisionPreset(channels)
    case 'timm':
      return beside.input?.source.includes('timm') ? beside.input : timmPreset(channels)
    case 'huggingface':
      return beside.input ?? transformersPreset()
    default:
      return inFile(name, () => ({ ...inputFromJson(JSON.parse(readFileSync(name, 'utf8'))), source: name }))
  }
}
