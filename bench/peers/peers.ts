import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Precision } from '../../src/engines/engine.ts'
import { formWithFile } from '../inputs.ts'
import { readInfo } from '../server-api.ts'
import { DEPLOYED, type ServerCommand } from '../server-process.ts'

export const PEER_INPUTS = ['tensor', 'picture'] as const
export type PeerInput = (typeof PEER_INPUTS)[number]

/** The two vectors that every server answers with. */
export interface Vectors {
  logits: number[]
  embedding: number[]
}

/** The request body that a server takes. */
interface Encoding {
  path: string
  /** Of float32, or of a PNG or JPEG. */
  encode: (input: Buffer) => { contentType: string; body: Buffer }
}

/** Settings of a server, by environment variable; served.py explains each. */
type Settings = Record<string, string>

/** A server of the same weights. */
export interface Peer {
  name: string
  title: string
  /** One of resnet-serve's. */
  ours: boolean
  command: ServerCommand
  /** Its settings, on top of the environment of the run. */
  env: Settings
  /** Settings that `--tune` tries; `env` holds the best. */
  choices: Settings[]
  requests: Record<PeerInput, Encoding>
  /** Of an answer to one input, parsed. */
  read: (answer: unknown) => Vectors
  /** The precision of a running server. */
  precision: (url: string) => Promise<Precision>
}

const HERE = fileURLToPath(new URL('.', import.meta.url))
/** The folder of run.sh's Python environment and of what is made from the weights. */
const HOME = process.env.PEERS_HOME ?? ''
export const PYTHON = join(HOME, 'venv', 'bin', 'python')

/** The input as it is. */
function asBody(path: string): Record<PeerInput, Encoding> {
  return {
    tensor: { path, encode: (body) => ({ contentType: 'application/octet-stream', body }) },
    picture: { path, encode: (body) => ({ contentType: body[0] === 0xff ? 'image/jpeg' : 'image/png', body }) },
  }
}

function ours(precision: 'fp32' | 'auto'): Peer {
  return {
    name: `resnet-serve-${precision}`,
    title: `resnet-serve, PRECISION=${precision}`,
    ours: true,
    command: DEPLOYED,
    env: { PRECISION: precision },
    choices: [],
    requests: asBody('/classify'),
    read: (answer) => (answer as { results: [Vectors] }).results[0],
    precision: async (url) => (await readInfo(url)).model.precision,
  }
}

type Description = Pick<Peer, 'name' | 'title' | 'choices'> & { settings: Settings }

/** A script in this folder that listens by itself. */
function script(file: string, readyPath: string, { settings, ...peer }: Description): Peer {
  return {
    ...peer,
    ours: false,
    command: { argv: [PYTHON, join(HERE, file)], readyPath },
    env: { ...settings, PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' },
    requests: asBody('/predict'),
    read: (answer) => answer as Vectors,
    precision: async () => 'fp32',
  }
}

/** BentoML batches lists of pictures, which come as multipart, and arrays, which come as JSON. */
function bentoml(description: Description): Peer {
  const { env, ...peer } = script('', '/readyz', description)
  const serve = `cd "$PYTHONPATH" && exec "${PYTHON}" -m bentoml serve bentoml_service:Served --host "$HOST" --port "$PORT"`
  return {
    ...peer,
    command: { argv: ['/bin/sh', '-c', serve], readyPath: '/readyz' },
    env: { ...env, BENTOML_HOME: join(HOME, 'bentoml'), BENTOML_DO_NOT_TRACK: 'True' },
    requests: {
      tensor: { path: '/tensors', encode: tensorJson },
      picture: { path: '/pictures', encode: (picture) => formWithFile(picture, 'images') },
    },
    read: (answer) => (answer as [Vectors])[0],
  }
}

function tensorJson(input: Buffer): { contentType: string; body: Buffer } {
  const values = Array.from(new Float32Array(new Uint8Array(input).buffer))
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify({ tensors: [values] })) }
}

/** All combinations of the settings. */
function combinations(...lists: Settings[][]): Settings[] {
  return lists.reduce<Settings[]>(
    (all, list) => all.flatMap((one) => list.map((other) => ({ ...one, ...other }))),
    [{}],
  )
}

/** On two cores: one process that uses both, or one process on each. */
const PROCESSES = [
  { THREADS: '2', WORKERS: '1' },
  { THREADS: '1', WORKERS: '2' },
]
const WAITS = ['0', '3'].map((ms) => ({ WAIT_MS: ms }))
const TORCH_MODES = ['eager', 'script', 'compile'].map((mode) => ({ TORCH_MODE: mode }))

/** Each with its best settings on two cores, as found by `--tune`. */
export const PEERS: Peer[] = [
  ours('auto'),
  ours('fp32'),
  script('mosec_server.py', '/', {
    name: 'mosec',
    title: 'Mosec + onnxruntime',
    settings: { BACKEND: 'onnx' },
    choices: combinations(PROCESSES, [{ WAIT_MS: '1' }, { WAIT_MS: '3' }]),
  }),
  script('litserve_server.py', '/health', {
    name: 'litserve',
    title: 'LitServe + onnxruntime',
    settings: { BACKEND: 'onnx', WAIT_MS: '3' },
    choices: combinations(PROCESSES, WAITS),
  }),
  bentoml({
    name: 'bentoml',
    title: 'BentoML + onnxruntime',
    settings: { BACKEND: 'onnx', THREADS: '1', WORKERS: '2' },
    choices: PROCESSES,
  }),
  script('fastapi_server.py', '/health', {
    name: 'fastapi-onnx',
    title: 'FastAPI + onnxruntime, micro-batches',
    settings: { BACKEND: 'onnx' },
    choices: combinations(PROCESSES, WAITS),
  }),
  script('fastapi_server.py', '/health', {
    name: 'fastapi-onnx-single',
    title: 'FastAPI + onnxruntime, no batches',
    settings: { BACKEND: 'onnx', MAX_BATCH: '1', THREADS: '1', WORKERS: '2' },
    choices: PROCESSES,
  }),
  script('fastapi_server.py', '/health', {
    name: 'fastapi-torch',
    title: 'FastAPI + PyTorch, micro-batches',
    settings: { BACKEND: 'torch' },
    choices: [...combinations(PROCESSES.slice(0, 1), TORCH_MODES), ...PROCESSES.slice(1)],
  }),
  script('fastapi_server.py', '/health', {
    name: 'fastapi-torch-single',
    title: 'FastAPI + PyTorch, no batches',
    settings: { BACKEND: 'torch', MAX_BATCH: '1' },
    choices: PROCESSES,
  }),
]
