import { join } from 'node:path'
import type { Graph } from '../resnet/graph.ts'
import { buildResNet } from '../resnet/resnet.ts'
import { inFile, readHashed } from './in-file.ts'
import type { Quantization } from './quantization.ts'
import { loadReference, type Reference } from './reference.ts'
import type { RepositoryEntry } from './repository.ts'
import { readSafetensors } from './safetensors.ts'

/** What an engine may use beside the graph. */
export interface ModelExtras {
  /** Present if the model was calibrated for int8. */
  quantization?: Quantization | undefined
  /** Inputs with PyTorch's answers, to check a lower precision at load. */
  reference?: Reference | undefined
}

const WEIGHTS_FILE = 'weights.safetensors'

/** Reads and checks a model's weights, and builds its graph. Throws a plain Error that names the file. */
export function loadGraph({ directory, manifest }: RepositoryEntry): Graph {
  const { architecture, input, weightsSha256 } = manifest
  const path = join(directory, WEIGHTS_FILE)
  return inFile(path, () => {
    const weights = readSafetensors(readHashed(path, weightsSha256))
    return buildResNet(architecture, weights, input.height, input.width)
  })
}

/** Throws as `loadGraph` does. */
export function loadExtras(entry: RepositoryEntry): ModelExtras {
  return { quantization: entry.manifest.quantization, reference: loadReference(entry) }
}
