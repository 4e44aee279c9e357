import { readFileSync } from 'node:fs'
import { applyChoices, combinations } from '../../checkpoints/choices.ts'
import type { MadeChoice } from '../../checkpoints/plan-import.ts'
import type { Outputs } from '../../engines/engine.ts'
import { largestRelativeDifference } from '../../engines/relative-difference.ts'
import { inFile } from '../../repository/in-file.ts'
import { readSafetensors } from '../../repository/safetensors.ts'
import { type Architecture, type ArchitectureJson, parseArchitecture } from '../../resnet/architecture.ts'

/** Inputs with PyTorch's own answers: what `--check` names. */
export interface CheckFile {
  count: number
  /** Height and width. */
  size: [number, number]
  /** `[count, C, H, W]` */
  input: Float32Array
  /** At least one of them is there. */
  logits: Float32Array | undefined
  embedding: Float32Array | undefined
}

/** Largest difference to PyTorch over the vector's largest value: the bound that every engine keeps. */
const MAX_DIFFERENCE = 1e-3

export function readCheckFile(path: string): CheckFile {
  return inFile(path, () => {
    const tensors = readSafetensors(readFileSync(path))
    const [count, channels, height, width] = tensors.shapeOf('input') ?? []
    if (count === undefined || channels === undefined || height === undefined || width === undefined) {
      throw new Error('input must be [N, C, H, W]')
    }
    const rows = (name: string): Float32Array | undefined => {
      const shape = tensors.shapeOf(name)
      if (shape === undefined) return undefined
      if (shape.length !== 2 || shape[0] !== count)
        throw new Error(`${name} must be [${count}, values], not [${shape}]`)
      return tensors.take(name, shape)
    }
    const check = {
      count,
      size: [height, width] as [number, number],
      input: tensors.take('input', [count, channels, height, width]),
      logits: rows('logits'),
      embedding: rows('embedding'),
    }
    if (check.logits === undefined && check.embedding === undefined)
      throw new Error('neither logits nor embedding is in it')
    return check
  })
}

export interface Agreement {
  /** The choices with which the model answers as PyTorch did. */
  choices: MadeChoice[]
  outputs: Outputs
  /** Largest difference over the vector's largest value. */
  difference: number
}

/**
 * Tries the values of open choices, defaults first, until the model answers as PyTorch did. Throws a plain Error with the
 * smallest difference where none does.
 */
export async function findAgreement(
  architecture: ArchitectureJson,
  choices: MadeChoice[],
  check: CheckFile,
  answer: (architecture: Architecture) => Promise<Outputs>,
): Promise<Agreement> {
  let least = Number.POSITIVE_INFINITY
  const values = combinations(
    choices.map(({ choice, value, isOpen }) => ({ ...choice, values: isOpen ? choice.values : [value] })),
  )
  for (const combination of values) {
    const chosen = applyChoices(
      architecture,
      choices.map(({ choice }) => choice),
      combination,
    )
    const parsed = parseArchitecture(chosen)
    const outputs = await answer(parsed)
    const difference = differenceTo(check, outputs)
    if (difference <= MAX_DIFFERENCE) {
      const made = choices.map((each, i) => {
        const value = combination[i] as string
        return each.isOpen ? { ...each, value, source: '--check', isOpen: false } : each
      })
      return { choices: made, outputs, difference }
    }
    least = Math.min(least, difference)
  }
  const tried = values.length > 1 ? `none of ${values.length} ways to read it` : 'it does not'
  throw new Error(
    `--check: the model must answer as PyTorch did, and ${tried}: the smallest difference is ${least.toPrecision(2)} of the largest value. Was the model in eval mode, and is it a plain ResNet?`,
  )
}

function differenceTo(check: CheckFile, outputs: Outputs): number {
  const of = (actual: Float32Array, expected: Float32Array | undefined, name: string): number => {
    if (expected === undefined) return 0
    if (actual.length !== expected.length) {
      throw new Error(
        `--check: ${name} has ${expected.length / check.count} values for an input, the model ${actual.length / check.count}`,
      )
    }
    return largestRelativeDifference(actual, expected, check.count)
  }
  return Math.max(of(outputs.logits, check.logits, 'logits'), of(outputs.embedding, check.embedding, 'embedding'))
}
