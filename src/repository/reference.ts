import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inFile } from './in-file.ts'
import type { RepositoryEntry } from './repository.ts'
import { readSafetensors } from './safetensors.ts'

const REFERENCE_FILE = 'reference.safetensors'

/** Inputs with PyTorch's answers, to check engines and precisions against. */
export interface Reference {
  count: number
  /** `[count, C, H, W]`, normalised. */
  input: Float32Array
  /** `[count, numClasses]` */
  logits: Float32Array
  /** `[count, embeddingSize]` */
  embedding: Float32Array
}

/** The model's reference.safetensors, or undefined if it has none. Throws a plain Error that names the file. */
export function loadReference({ directory, manifest }: RepositoryEntry): Reference | undefined {
  const path = join(directory, REFERENCE_FILE)
  if (!existsSync(path)) return undefined
  const { architecture, input } = manifest
  return inFile(path, () => {
    const tensors = readSafetensors(readFileSync(path))
    const count = tensors.rows('input')
    return {
      count,
      input: tensors.take('input', [count, architecture.inChannels, input.height, input.width]),
      logits: tensors.take('logits', [count, architecture.numClasses]),
      embedding: tensors.take('embedding', [count, architecture.embeddingSize]),
    }
  })
}
