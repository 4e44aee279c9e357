import { storedKey } from './api-key.ts'
import { Failure, failureOf, failureToFetch } from './failure.ts'
import { type Timing, timingOf } from './server-timing.ts'

/** What /info says of a model, as far as the page needs it. */
export interface Model {
  name: string
  version: string
  description?: string
  precision: string
  embedding_size: number
  num_classes: number
  activation: 'softmax' | 'sigmoid' | 'none'
  embedding_space: string
  input: {
    height: number
    width: number
    channels: 'grey' | 'rgb' | 'bgr'
    mean: number[]
    std: number[]
    /** Drawings have it, photographs do not. */
    fit?: string
  }
}

export interface Info {
  status: string
  engine: { name: string } | null
  default_model: string | null
  models: Model[]
}

export interface ScoredClass {
  label: string
  class_id: number
  probability: number
}

export interface Answer {
  /** Undefined for a model without a classifier. */
  top: ScoredClass[] | undefined
  embedding: Float32Array
  /** `[C][H][W]`, normalised: what the model saw. */
  input: number[][][]
  timing: Timing
}

export const takesDrawings = (model: Model): boolean => model.input.fit !== undefined

export async function getInfo(): Promise<Info> {
  return (await call('info', {})).json() as Promise<Info>
}

/** Where a picture is sent to, and what is asked for. */
export function requestUrl(model: Model): URL {
  const hasClasses = model.num_classes > 0
  const url = new URL(hasClasses ? 'classify' : 'embed', document.baseURI)
  // None of them has a character that a query must escape, and a reader reads it better so.
  const include = hasClasses ? 'top,embedding,input' : 'embedding,input'
  url.search = `model=${model.name}&version=${model.version}&include=${include}`
  return url
}

/** Media type to send a picture with. The server trusts no name, so one that has none may go by any. */
export const mediaType = ({ type }: Blob): string => type || 'image/png'

/** Rejects with a Failure. */
export async function ask(model: Model, picture: Blob, signal: AbortSignal): Promise<Answer> {
  const startedAt = performance.now()
  const headers = { 'content-type': mediaType(picture) }
  const response = await call(requestUrl(model), { method: 'POST', headers, body: picture, signal })
  const { results } = (await response.json().catch((error) => {
    throw failureToFetch(error)
  })) as { results: [{ top?: ScoredClass[]; embedding: number[]; input: number[][][] }] }
  const [{ top, embedding, input }] = results
  const timing = timingOf(response.headers.get('server-timing') ?? '', performance.now() - startedAt)
  return { top, embedding: Float32Array.from(embedding), input, timing }
}

async function call(url: string | URL, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = storedKey()
  if (key !== null) headers.set('authorization', `Bearer ${key}`)
  try {
    const response = await fetch(url, { ...init, headers })
    if (response.ok) return response
    throw await failureOf(response)
  } catch (error) {
    throw failureToFetch(error)
  }
}

export { Failure }
