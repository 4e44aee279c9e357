import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from './manifest.ts'
import type { RepositoryEntry } from './repository.ts'
import { readSafetensors } from './safetensors.ts'

const REFERENCE_FILE = 'reference.safetensors'

/** Inputs with the answers that PyTorch gave: what engines and precisions are held to on the machine they run on. */
export interface Reference {
  count: number
  /** `[count, C, H, W]`, normalised. */
  input: Float32Array
  /** `[count, numClasses]` */
  logits: Float32Array
  /** `[count, embeddingSize]` */
  embedding: Float32Array
}

/** The model's reference.safetensors, or undefined where it has none. Throws a plain Error that names the file. */
export function loadReference({ directory, manifest }: RepositoryEntry): Reference | undefined {
  const path = join(directory, REFERENCE_FILE)
  if (!existsSync(path)) return undefined
  try {
    return parseReference(readFileSync(path), manifest)
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

function parseReference(file: Buffer, { architecture, input }: Manifest): Reference {
  const tensors = readSafetensors(file)
  const count = tensors.rows('input')
  return {
    count,
    input: tensors.take('input', [count, architecture.inChannels, input.height, input.width]),
    logits: tensors.take('logits', [count, architecture.numClasses]),
    embedding: tensors.take('embedding', [count, architecture.embeddingSize]),
  }
}
