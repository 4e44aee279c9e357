import { ServeError } from '../../errors.ts'
import type { Prediction } from '../../model/model.ts'
import type { Manifest } from '../../repository/manifest.ts'
import { shortestFloat32 } from '../float32-json.ts'
import { probabilitiesOf, topClasses } from '../results.ts'
import { type Output, outputsOf } from './metadata.ts'
import { quote } from './read-input.ts'

/** An output as a request asks for it. */
export interface RequestedOutput {
  name: string
  /** Asks for this many of the likeliest classes, as text, instead of the values. */
  classification?: number | undefined
}

/** An output that the model has. */
export interface ChosenOutput extends Output {
  classes: number | undefined
}

/** `data` is row-major. A string of BYTES is `value:index:label`. */
export type OutputTensor =
  | { name: string; datatype: 'FP32'; shape: number[]; data: Float32Array }
  | { name: string; datatype: 'BYTES'; shape: number[]; data: string[] }

/** Those that are asked for, or all that the model has. Throws `invalid_parameter`; call it before there is an answer. */
export function chooseOutputs(requested: RequestedOutput[], manifest: Manifest): ChosenOutput[] {
  const outputs = outputsOf(manifest)
  if (requested.length === 0) return outputs.map((output) => ({ ...output, classes: undefined }))
  const chosen = new Map<string, ChosenOutput>()
  for (const { name, classification } of requested) {
    const output = outputs.find((each) => each.name === name)
    if (output === undefined) {
      throw invalid(`there is no output ${quote(name)}; there are ${outputs.map((each) => each.name).join(', ')}`)
    }
    if (chosen.has(name)) throw invalid(`output "${name}" is asked for twice`)
    chosen.set(name, { ...output, classes: countClasses(output, classification) })
  }
  return [...chosen.values()]
}

function countClasses({ name, length }: Output, classification: number | undefined): number | undefined {
  // Triton's clients send 0 where nobody asked.
  if (classification === undefined || classification === 0) return undefined
  if (!Number.isSafeInteger(classification) || classification < 0) {
    throw invalid('classification must be a whole number of classes')
  }
  if (name === 'embedding') throw invalid('an embedding has no classes: ask for logits or probabilities')
  return Math.min(classification, length)
}

/** The outputs of all predictions, one row each. */
export function outputTensors(chosen: ChosenOutput[], predictions: Prediction[], manifest: Manifest): OutputTensor[] {
  return chosen.map(({ name, length, classes }) => {
    if (classes !== undefined) {
      const data = predictions.flatMap((prediction) => classesOf(prediction, name, manifest, classes))
      return { name, datatype: 'BYTES', shape: [predictions.length, classes], data }
    }
    const rows = predictions.map((prediction) => valuesOf(prediction, name, manifest))
    return { name, datatype: 'FP32', shape: [rows.length, length], data: joined(rows, length) }
  })
}

function valuesOf({ logits, embedding }: Prediction, name: Output['name'], { activation }: Manifest): Float32Array {
  if (name === 'embedding') return embedding
  return name === 'logits' ? logits : probabilitiesOf(logits, activation)
}

/** One row is not copied. */
function joined(rows: Float32Array[], length: number): Float32Array {
  const [first] = rows
  if (rows.length === 1 && first !== undefined) return first
  const all = new Float32Array(rows.length * length)
  for (const [i, row] of rows.entries()) all.set(row, i * length)
  return all
}

/** In descending order. */
function classesOf({ logits }: Prediction, name: Output['name'], manifest: Manifest, classes: number): string[] {
  return topClasses(logits, manifest, classes).map(({ class_id, probability, label }) => {
    const value = name === 'logits' ? shortestFloat32(logits[class_id] as number) : probability
    return `${value}:${class_id}:${label}`
  })
}

function invalid(detail: string): ServeError {
  return new ServeError('invalid_parameter', detail)
}
