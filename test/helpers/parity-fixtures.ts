import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Outputs } from '../../src/engines/engine.ts'
import { parseManifest } from '../../src/repository/manifest.ts'
import type { RepositoryEntry } from '../../src/repository/repository.ts'
import { readSafetensors } from '../../src/repository/safetensors.ts'

/** Inputs in each fixture. */
export const FIXTURE_BATCH = 3

export interface ParityFixture {
  entry: RepositoryEntry
  /** `[FIXTURE_BATCH, C, H, W]` */
  input: Float32Array
  /** What PyTorch answers, rows in the order of the inputs. */
  expected: Outputs
}

/** Folders written by training/fixtures.py and training/library_fixtures.py. PARITY_FIXTURES names others, such as the full-width models. */
export const parityRoot = process.env.PARITY_FIXTURES ?? fileURLToPath(new URL('../fixtures/parity', import.meta.url))

export const parityNames = readdirSync(parityRoot).sort()

export function readParityFixture(name: string, root = parityRoot): ParityFixture {
  const directory = join(root, name)
  const manifest = parseManifest(readFileSync(join(directory, 'model.json'), 'utf8'))
  const { height, width } = manifest.input
  const { inChannels, numClasses, embeddingSize } = manifest.architecture
  const tensors = readSafetensors(readFileSync(join(directory, 'expected.safetensors')))
  return {
    entry: { directory, manifest },
    input: tensors.take('input', [FIXTURE_BATCH, inChannels, height, width]),
    expected: {
      logits: numClasses === 0 ? new Float32Array() : tensors.take('logits', [FIXTURE_BATCH, numClasses]),
      embedding: tensors.take('embedding', [FIXTURE_BATCH, embeddingSize]),
    },
  }
}

/** The narrow ResNet-18 that belongs to the tests, wherever PARITY_FIXTURES points. */
export function smallFixture(): ParityFixture {
  return readParityFixture('resnet18-projection', fileURLToPath(new URL('../fixtures/parity', import.meta.url)))
}

export function rowOf(values: Float32Array, index: number): Float32Array {
  const length = values.length / FIXTURE_BATCH
  return values.subarray(index * length, (index + 1) * length)
}

/** Largest difference of two vectors over the largest value of the expected one; 0 if they have no values. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`)
  let difference = 0
  let peak = 0
  for (const [i, value] of expected.entries()) {
    difference = Math.max(difference, Math.abs(value - (actual[i] as number)))
    peak = Math.max(peak, Math.abs(value))
  }
  return actual.length === 0 ? 0 : difference / peak
}
