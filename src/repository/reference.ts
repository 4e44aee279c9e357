import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inFile, readHashed } from './in-file.ts'
import type { RepositoryEntry } from './repository.ts'
import { readSafetensors } from './safetensors.ts'

const REFERENCE_FILE = 'reference.safetensors'

/** Inputs with PyTorch's answers, to check engines and precisions against. */
export interface Reference {
  count: number
  /** `[count, C, H, W]`, normalised. */
  input: Float32Array
  /** `[count, numClasses]`; empty if the model has no classifier. */
  logits: Float32Array
  /** `[count, embeddingSize]` */
  embedding: Float32Array
}

/**
 * The model's reference.safetensors, or undefined if it has none. Throws a plain Error that names the file, also where
 * model.json has its sha256 and it is another file or missing.
 */
export function loadReference({ directory, manifest }: RepositoryEntry): Reference | undefined {
  const path = join(directory, REFERENCE_FILE)
  const { architecture, input, reference } = manifest
  if (reference === undefined && !existsSync(path)) return undefined
  return inFile(path, () => {
    const tensors = readSafetensors(reference ? readHashed(path, reference.sha256) : readFileSync(path))
    const count = tensors.rows('input')
    return {
      count,
      input: tensors.take('input', [count, architecture.inChannels, input.height, input.width]),
      logits:
        architecture.numClasses === 0 ? new Float32Array() : tensors.take('logits', [count, architecture.numClasses]),
      embedding: tensors.take('embedding', [count, architecture.embeddingSize]),
    }
  })
}
