/**
 * Loads the `@tensorflow/tfjs-node(-gpu)` in the folder given as argument, runs one convolution, and prints a NativeProbe
 * as JSON. Runs as a process of its own, since loading the addon may crash it.
 */
import { createRequire } from 'node:module'
import { defineRemovedUtilities } from './removed-utilities.ts'
import type { TfjsNode } from './tensorflow.ts'

export interface NativeProbe {
  /** Version of libtensorflow. */
  tensorflow: string
  /** Version of the npm package. */
  tfjs: string
  /** Whether TensorFlow computes on a GPU. */
  gpu: boolean
}

function probe(folder: string): NativeProbe {
  defineRemovedUtilities()
  const tf = createRequire(import.meta.url)(folder) as TfjsNode
  const sum = tf.conv2d(tf.ones([1, 8, 8, 4]), tf.ones([3, 3, 4, 2]), 1, 'valid').dataSync()
  if (sum.length !== 72 || sum.some((value) => value !== 36)) {
    throw new Error(`a convolution of ones answers ${sum.subarray(0, 4)}... instead of 36`)
  }
  const { isUsingGpuDevice, binding } = tf.backend()
  return { tensorflow: binding.TF_Version, tfjs: tf.version['tfjs-node'] ?? 'unknown', gpu: isUsingGpuDevice }
}

process.stdout.write(`${JSON.stringify(probe(process.argv[2] ?? ''))}\n`)
