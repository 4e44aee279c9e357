import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isCudaBuild } from '../tensorflow/layout.ts'
import { AddonError, verifyAddon } from '../tensorflow/verify.ts'

/** Native TensorFlow on this machine; what is missing could not be found out. */
export interface Native {
  /** Folder of the npm package; undefined where there is none. */
  addon: string | undefined
  /** Why it does not work. */
  error?: string | undefined
  /** Version of the npm package, once it loads. */
  tfjs?: string
  /** Version of libtensorflow, once it loads. */
  tensorflow?: string
  /** Whether libtensorflow is built with CUDA. */
  cuda?: boolean
  /** Whether it computes on a GPU here. */
  gpu?: boolean
  devices?: string[]
  /** What TensorFlow said while it looked for devices. */
  log?: string
}

const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']

/** Looks where the engines look, in their order: install-tensorflow's folder, then the server's own packages. */
function findAddon(tensorflowDir: string): string | undefined {
  for (const base of [pathToFileURL(join(tensorflowDir, 'package.json')).href, import.meta.url]) {
    for (const name of PACKAGES) {
      try {
        return dirname(createRequire(base).resolve(`${name}/package.json`))
      } catch {
        // Try the next place.
      }
    }
  }
  return undefined
}

/** Loads the addon and runs a convolution, in a process of its own. A failure is in the result. */
export async function examineNative(tensorflowDir: string): Promise<Native> {
  const addon = findAddon(tensorflowDir)
  if (addon === undefined) {
    return { addon, error: `no ${PACKAGES.join(' or ')} is installed: resnet-serve install-tensorflow puts one there` }
  }
  const cuda = await isCudaBuild(join(addon, 'deps')).catch(() => undefined)
  const build = cuda === undefined ? {} : { cuda }
  try {
    return { addon, ...build, ...(await verifyAddon(addon)) }
  } catch (error) {
    if (!(error instanceof AddonError)) throw error
    return { addon, ...build, error: error.message, log: error.log }
  }
}
