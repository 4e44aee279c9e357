import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formWithFile } from '../inputs.ts'
import { DEPLOYED, type ServerCommand } from '../server-process.ts'

export type PeerInput = 'tensor' | 'png'

/** The two vectors that every server answers with. */
export interface Vectors {
  logits: number[]
  embedding: number[]
}

interface Encoding {
  path: string
  /** What the server takes as body; the input is float32 or PNG bytes. */
  encode: (input: Buffer) => { contentType: string; body: Buffer }
}

/** A server of the same weights. */
export interface Peer {
  name: string
  title: string
  command: ServerCommand
  /** Beside the environment of the run. */
  env: Record<string, string>
  requests: Record<PeerInput, Encoding>
  /** Of an answer to one input, parsed. */
  read: (answer: unknown) => Vectors
}

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** Where run.sh keeps the Python environment and what is made from the weights. */
const HOME = process.env.PEERS_HOME ?? ''
export const PYTHON = join(HOME, 'venv', 'bin', 'python')

function raw(path: string): Record<PeerInput, Encoding> {
  return {
    tensor: { path, encode: (body) => ({ contentType: 'application/octet-stream', body }) },
    png: { path, encode: (body) => ({ contentType: 'image/png', body }) },
  }
}

function ours(precision: 'fp32' | 'auto', title: string): Peer {
  return {
    name: `resnet-serve-${precision}`,
    title,
    command: DEPLOYED,
    env: { PRECISION: precision },
    requests: raw('/classify'),
    read: (answer) => (answer as { results: [Vectors] }).results[0],
  }
}

function python(name: string, title: string, script: string, readyPath: string, env: Record<string, string>): Peer {
  return {
    name,
    title,
    command: { argv: [PYTHON, join(HERE, script)], readyPath },
    env: { ...env, PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' },
    requests: raw('/predict'),
    read: (answer) => answer as Vectors,
  }
}

/** BentoML batches lists of pictures that come as multipart, and arrays that come as JSON. */
function bentoml(name: string, title: string, env: Record<string, string>): Peer {
  const base = python(name, title, '', '/readyz', env)
  return {
    ...base,
    command: {
      argv: [
        '/bin/sh',
        '-c',
        `cd "$PYTHONPATH" && exec "${PYTHON}" -m bentoml serve bentoml_service:Digits --host "$HOST" --port "$PORT"`,
      ],
      readyPath: '/readyz',
    },
    env: { ...base.env, BENTOML_HOME: join(HOME, 'bentoml'), BENTOML_DO_NOT_TRACK: 'True' },
    requests: {
      tensor: { path: '/tensors', encode: tensorJson },
      png: { path: '/pictures', encode: (png) => formWithFile(png, 'images') },
    },
    read: (answer) => (answer as [Vectors])[0],
  }
}

function tensorJson(input: Buffer): { contentType: string; body: Buffer } {
  const values = Array.from(new Float32Array(new Uint8Array(input).buffer))
  const side = Math.sqrt(values.length)
  const rows = Array.from({ length: side }, (_, y) => values.slice(y * side, (y + 1) * side))
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify({ tensors: [[rows]] })) }
}

/**
 * Each with the settings that served most on two cores (README.md says what else was tried): the backend, the threads of
 * one inference, the processes that hold the model, the largest batch, and how long a batch waits to grow.
 */
export const PEERS: Peer[] = [
  ours('auto', 'resnet-serve, PRECISION=auto'),
  ours('fp32', 'resnet-serve, PRECISION=fp32'),
  python('mosec', 'Mosec + onnxruntime', 'mosec_server.py', '/', { BACKEND: 'onnx' }),
  python('litserve', 'LitServe + onnxruntime', 'litserve_server.py', '/health', { BACKEND: 'onnx' }),
  bentoml('bentoml', 'BentoML + onnxruntime', { BACKEND: 'onnx' }),
  python('fastapi-onnx', 'FastAPI + onnxruntime, micro-batches', 'fastapi_server.py', '/health', { BACKEND: 'onnx' }),
  python('fastapi-onnx-single', 'FastAPI + onnxruntime, no batches', 'fastapi_server.py', '/health', {
    BACKEND: 'onnx',
    MAX_BATCH: '1',
  }),
  python('fastapi-torch', 'FastAPI + PyTorch, micro-batches', 'fastapi_server.py', '/health', { BACKEND: 'torch' }),
  python('fastapi-torch-single', 'FastAPI + PyTorch, no batches', 'fastapi_server.py', '/health', {
    BACKEND: 'torch',
    MAX_BATCH: '1',
  }),
]
