import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Graph } from '../../resnet/graph.ts'
import type { CompiledGraph, Engine, EngineOptions, Outputs } from '../engine.ts'
import { setTensorflowEnvironment } from './environment.ts'
import { defineRemovedUtilities } from './removed-utilities.ts'
import { type EmittedPrecision, emitSavedModel, SIGNATURE } from './saved-model-emitter.ts'
import { withTemporaryModel } from './temporary-model.ts'

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu'
const CPU_PACKAGE = '@tensorflow/tfjs-node'

/** The part of `@tensorflow/tfjs-node(-gpu)` used here. Its own types are missing where it is not installed. */
export interface TfjsNode {
  version: Record<string, string>
  backend(): { isUsingGpuDevice: boolean; binding: { TF_Version: string } }
  scalar(value: Uint8Array, dtype: 'string'): TfjsTensor
  ones(shape: number[]): TfjsTensor
  conv2d(x: TfjsTensor, filter: TfjsTensor, strides: number, pad: 'valid'): TfjsTensor
  memory(): { numTensors: number }
  node: { loadSavedModel(path: string): Promise<SavedModel> }
}

interface TfjsTensor {
  dataSync(): Float32Array
  dispose(): void
}

interface SavedModel {
  predict(inputs: Record<string, TfjsTensor>): Record<string, TfjsTensor>
  dispose(): void
}

/** `@tensorflow/tfjs-node-gpu` on an NVIDIA GPU. */
export async function openCuda(options: EngineOptions): Promise<Engine> {
  const { precision } = options
  // bf16 was measured on CPUs alone (docs/gpu.md).
  if (precision === 'int8' || precision === 'bf16')
    throw new Error(`PRECISION=${precision}: cuda computes in fp32 or fp16`)
  const { tf, from } = loadAddon([GPU_PACKAGE], options)
  if (!tf.backend().isUsingGpuDevice) {
    throw new Error(`${from} loads, but its TensorFlow sees no GPU; resnet-serve doctor --gpu says why`)
  }
  return nativeEngine('cuda', tf, from, options)
}

/** Value of CUDA_VISIBLE_DEVICES that hides all GPUs. */
const NO_GPU = '-1'

/** Native TensorFlow on the CPU, even where there is a GPU. The same code as `cuda`. */
export async function openTensorflow(options: EngineOptions): Promise<Engine> {
  if (options.precision === 'int8') throw new Error('PRECISION=int8: tensorflow computes in fp32, fp16 or bf16')
  const { tf, from } = loadAddon([GPU_PACKAGE, CPU_PACKAGE], { ...options, gpu: { device: NO_GPU } })
  return nativeEngine('tensorflow', tf, from, options)
}

function nativeEngine(name: 'cuda' | 'tensorflow', tf: TfjsNode, from: string, options: EngineOptions): Engine {
  const precision = options.precision === 'fp16' || options.precision === 'bf16' ? options.precision : 'fp32'
  return {
    name,
    details: {
      library: from,
      version: tf.version['tfjs-node'] ?? 'unknown',
      tensorflow: tf.backend().binding.TF_Version,
      device: name === 'cuda' ? 'gpu' : 'cpu',
    },
    fixedBatchSizes: name === 'cuda',
    takesAllThreads: false,
    compile: (graph) => compile(tf, graph, precision),
    liveTensors: () => tf.memory().numTensors,
  }
}

async function compile(tf: TfjsNode, graph: Graph, precision: EmittedPrecision): Promise<CompiledGraph> {
  const model = await withTemporaryModel(emitSavedModel(graph, precision), (folder) => tf.node.loadSavedModel(folder))
  return {
    precision,
    /** One session call. Disposes of all tensors; the arrays returned belong to JavaScript. */
    async run({ input }): Promise<Outputs> {
      const bytes = tf.scalar(new Uint8Array(input.buffer, input.byteOffset, input.byteLength), 'string')
      try {
        const answers = model.predict({ [SIGNATURE.input]: bytes })
        try {
          return {
            logits: graph.outputs.logits === undefined ? new Float32Array() : read(answers[SIGNATURE.logits]),
            embedding: read(answers[SIGNATURE.embedding]),
          }
        } finally {
          for (const tensor of Object.values(answers)) tensor.dispose()
        }
      } finally {
        bytes.dispose()
      }
    },
    async dispose() {
      model.dispose()
    },
  }
}

function read(tensor: TfjsTensor | undefined): Float32Array {
  if (tensor === undefined) throw new Error('the session left out an output')
  return tensor.dataSync()
}

/** The first package that loads: from the folder of install-tensorflow, else from the server's own node_modules. */
function loadAddon(packages: string[], options: EngineOptions): { tf: TfjsNode; from: string } {
  defineRemovedUtilities()
  setTensorflowEnvironment(options)
  const bases = [pathToFileURL(join(options.tensorflowDir, 'package.json')).href, import.meta.url]
  const reasons: string[] = []
  for (const base of bases) {
    for (const name of packages) {
      try {
        return { tf: createRequire(base)(name) as TfjsNode, from: name }
      } catch (error) {
        reasons.push(describe(name, error as NodeJS.ErrnoException))
      }
    }
  }
  throw new Error([...new Set(reasons)].join('; '))
}

function describe(name: string, error: NodeJS.ErrnoException): string {
  // The other lines list who required the module.
  const [line = ''] = error.message.split('\n')
  return error.code === 'MODULE_NOT_FOUND' && line.includes(name)
    ? `${name} is not installed`
    : `${name} does not load: ${line}`
}
