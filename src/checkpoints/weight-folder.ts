import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { WeightFile } from './weight-file.ts'
import { formatOf } from './weight-format.ts'

/** What the libraries write, in the order in which Hugging Face's looks for it. */
const STANDARD = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
]

/** The name of the file of weights in a folder, or of their index. Throws when none stands out. */
export function weightsIn(folder: string): string {
  const names = readdirSync(folder).sort()
  const standard = STANDARD.find((name) => names.includes(name))
  if (standard !== undefined) return standard
  const weights = names.filter((name) => isWeights(join(folder, name)))
  const [only] = weights
  if (only === undefined) throw new Error('there is no file of weights in this folder')
  if (weights.length > 1)
    throw new Error(`which one of its files? ${weights.slice(0, 10).join(', ')}${weights.length > 10 ? ', ...' : ''}`)
  return only
}

function isWeights(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false
  const file = new WeightFile(path)
  try {
    return ['safetensors', 'zip', 'pickle'].includes(formatOf(file))
  } finally {
    file.close()
  }
}
