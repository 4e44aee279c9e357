import { createRequire } from 'node:module'
import util from 'node:util'
import type { Engine, EngineOptions } from './engine.ts'

const require = createRequire(import.meta.url)

/** `@tensorflow/tfjs-node-gpu` with a visible NVIDIA GPU. */
export async function openCuda(options: EngineOptions): Promise<Engine> {
  return openNative(['@tensorflow/tfjs-node-gpu'], options)
}

/** Native TensorFlow on the CPU. */
export async function openTensorflow(options: EngineOptions): Promise<Engine> {
  return openNative(['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'], options)
}

/** The addon is loaded as far as it goes, so that the reason given is the one that this machine has. */
async function openNative(packages: string[], _options: EngineOptions): Promise<Engine> {
  defineRemovedUtilities()
  const reasons: string[] = []
  for (const name of packages) {
    try {
      require(name)
      reasons.push(`${name} loads, but running the graph on it as a SavedModel is not built yet`)
    } catch (error) {
      const [line] = (error as Error).message.split('\n')
      const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND'
      reasons.push(missing ? `${name} is not installed` : `${name} does not load: ${line}`)
    }
  }
  throw new Error(reasons.join('; '))
}

/** tfjs-node 4.22 calls two functions that Node 23 removed. */
function defineRemovedUtilities(): void {
  const target = util as unknown as Record<string, unknown>
  target.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  target.isArray ??= Array.isArray
}
