import type { EngineName } from '../src/model/engines/engine.ts'
import { compareVersions } from '../src/model/repository.ts'
import type { InputShape, Payload } from './inputs.ts'

export interface ServedModel {
  name: string
  version: string
  input: InputShape
}

export interface ServerInfo {
  engine: { name: EngineName } & Record<string, unknown>
  /** The one that answers requests which name none. */
  model: ServedModel
}

export async function readInfo(url: string): Promise<ServerInfo> {
  const response = await fetch(`${url}/info`)
  const info = (await response.json()) as {
    engine: ServerInfo['engine']
    default_model: string
    models: ServedModel[]
  }
  const versions = info.models.filter(({ name }) => name === info.default_model)
  const model = versions.sort((a, b) => compareVersions(a.version, b.version)).at(-1)
  if (model === undefined) throw new Error('GET /info lists no default model')
  return { engine: info.engine, model }
}

/** One request before the load, read in full: throws unless the answer is one result of that model. */
export async function checkAnswer(url: string, { contentType, body }: Payload, model: ServedModel): Promise<void> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': contentType }, body })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${contentType}: status ${response.status}, ${text}`)
  const answer = JSON.parse(text) as { model: ServedModel; results: { logits?: number[]; embedding?: number[] }[] }
  const [result] = answer.results
  const sound = answer.results.length === 1 && result?.logits?.every(Number.isFinite) && result.embedding
  if (!sound || answer.model.name !== model.name || answer.model.version !== model.version) {
    throw new Error(`${contentType}: unexpected answer ${text.slice(0, 200)}`)
  }
}

export interface BatchCount {
  batches: number
  /** Inputs in them; inputs that were identical to another in flight are not among them. */
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
