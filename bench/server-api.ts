import type { EngineName, Precision } from '../src/engines/engine.ts'
import type { InputShape } from '../src/repository/input-spec.ts'
import { compareVersions } from '../src/repository/repository.ts'
import type { Payload } from './inputs.ts'

export interface ServedModel {
  name: string
  version: string
  /** Without `fit` its pictures are photographs. */
  input: InputShape & { fit?: string }
}

export interface ServerInfo {
  engine: { name: EngineName } & Record<string, unknown>
  /** The model for requests that name none. */
  model: ServedModel & { precision: Precision }
}

export async function readInfo(url: string): Promise<ServerInfo> {
  const response = await fetch(`${url}/info`)
  const info = (await response.json()) as {
    engine: ServerInfo['engine']
    default_model: string
    models: ServerInfo['model'][]
  }
  const versions = info.models.filter(({ name }) => name === info.default_model)
  const model = versions.sort((a, b) => compareVersions(a.version, b.version)).at(-1)
  if (model === undefined) throw new Error('GET /info lists no default model')
  // An older server reads grey pictures and does not say so.
  return {
    engine: info.engine,
    model: { ...model, input: { ...model.input, channels: model.input.channels ?? 'grey' } },
  }
}

/** JSON from /classify, or raw float32 from /embed. */
export type AnswerKind = 'json' | 'binary'

/** Path and headers for each kind of answer. */
export const REQUESTS: Record<AnswerKind, { path: string; headers: Record<string, string> }> = {
  json: { path: '/classify', headers: {} },
  binary: { path: '/embed', headers: { accept: 'application/octet-stream' } },
}

/** One request before the load. Throws unless the answer is one result of that model. */
export async function checkAnswer(
  server: string,
  answer: AnswerKind,
  { contentType, body }: Payload,
  model: ServedModel,
): Promise<void> {
  const { path, headers } = REQUESTS[answer]
  const response = await fetch(server + path, {
    method: 'POST',
    headers: { 'content-type': contentType, ...headers },
    body: new Uint8Array(body),
  })
  const bytes = await response.arrayBuffer()
  const text = (): string => Buffer.from(bytes).toString('utf8', 0, 200)
  if (response.status !== 200) throw new Error(`${contentType}: status ${response.status}, ${text()}`)
  const sound = answer === 'binary' ? isEmbedding(bytes) : isResult(JSON.parse(Buffer.from(bytes).toString()), model)
  if (!sound) throw new Error(`${contentType}: unexpected answer ${text()}`)
}

function isEmbedding(bytes: ArrayBuffer): boolean {
  return bytes.byteLength > 0 && bytes.byteLength % 4 === 0 && new Float32Array(bytes).every(Number.isFinite)
}

interface JsonAnswer {
  model: { name: string; version: string }
  results: { logits?: number[]; embedding?: number[] }[]
}

function isResult({ model, results }: JsonAnswer, { name, version }: ServedModel): boolean {
  const [result] = results
  const vectors = [result?.logits, result?.embedding]
  return (
    model.name === name &&
    model.version === version &&
    results.length === 1 &&
    vectors.every((vector) => vector !== undefined && vector.length > 0 && vector.every(Number.isFinite))
  )
}

export interface BatchCount {
  batches: number
  /** Inputs in them; cache hits are not. */
  inputs: number
}

export async function readBatchCount(url: string): Promise<BatchCount> {
  const response = await fetch(`${url}/metrics`)
  const text = await response.text()
  const value = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
    if (found === undefined) throw new Error(`GET /metrics has no ${name}`)
    return Number(found)
  }
  return { batches: value('resnet_batch_size_count'), inputs: value('resnet_batch_size_sum') }
}
