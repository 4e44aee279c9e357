import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Graph } from '../resnet/graph.ts'
import { buildResNet } from '../resnet/resnet.ts'
import type { Manifest } from './manifest.ts'
import type { Quantization } from './quantization.ts'
import { loadReference, type Reference } from './reference.ts'
import type { RepositoryEntry } from './repository.ts'
import { readSafetensors } from './safetensors.ts'

/** What is known of a model beside its graph. */
export interface ModelExtras {
  /** Present where the model was calibrated for int8. */
  quantization?: Quantization | undefined
  /** Inputs with PyTorch's answers, against which a lower precision proves itself at load. */
  reference?: Reference | undefined
}

const WEIGHTS_FILE = 'weights.safetensors'

/** Reads and checks a model's weights, and builds its graph. Throws a plain Error that names the file. */
export function loadGraph({ directory, manifest }: RepositoryEntry): Graph {
  const path = join(directory, WEIGHTS_FILE)
  try {
    return build(readFileSync(path), manifest)
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** What the model's folder says beside the graph. Throws as `loadGraph` does. */
export function loadExtras(entry: RepositoryEntry): ModelExtras {
  return { quantization: entry.manifest.quantization, reference: loadReference(entry) }
}

function build(file: Buffer, { architecture, input, weightsSha256 }: Manifest): Graph {
  const sha256 = createHash('sha256').update(file).digest('hex')
  if (sha256 !== weightsSha256) throw new Error(`sha256 is ${sha256}, model.json says ${weightsSha256}`)
  return buildResNet(architecture, readSafetensors(file), input.height, input.width)
}
