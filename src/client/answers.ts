import { ResnetServeError } from './error.ts'
import type { Answer } from './send.ts'

export interface ScoredClass {
  label: string
  classId: number
  /** What the model's activation makes of the logit; with `none`, the logit. */
  probability: number
}

/** What a result can hold; `include` chooses. */
export interface Parts {
  /** The likeliest classes in descending order. */
  top: ScoredClass[]
  /** [numClasses] */
  logits: Float32Array
  /** [embeddingSize] */
  embedding: Float32Array
  /** What the model saw, normalised: [C][H][W] */
  input: number[][][]
}

export type Part = keyof Parts

/** With `partial`, in the place of the result of an input that failed. */
export interface FailedInput {
  error: ResnetServeError
}

export type Embedded<I extends Part = 'embedding'> = Pick<Parts, I> & { error?: undefined }
export type Classified<I extends Part = 'top'> = ScoredClass & Embedded<I>

interface InferenceAnswer<Result> {
  /** In the order of the inputs. */
  results: Result[]
  /** Embeddings of two spaces cannot be compared. Undefined where a browser may not read the header. */
  embeddingSpace: string | undefined
  /** The id of the request in the server's log. */
  requestId: string | undefined
}

export interface ClassifyAnswer<Result> extends InferenceAnswer<Result> {
  model: { name: string; version: string }
}

export interface EmbedAnswer<Result> extends InferenceAnswer<Result> {
  /** Length of an embedding. */
  dimensions: number
}

/** The most useful of `GET /info`; there is more of it. */
export interface Info {
  name: string
  version: string
  status: 'ready' | 'starting' | 'draining' | 'engine_unavailable'
  engine: { name: string } | null
  defaultModel: string | null
  models: ModelInfo[]
  limits: { maxBodyBytes: number; maxInputs: number; requestTimeoutMs: number }
}

export interface ModelInfo {
  name: string
  version: string
  precision: string
  input: { height: number; width: number }
  embeddingSize: number
  embeddingSpace: string
  /** 0 for a model without a classifier. */
  numClasses: number
  labels: string[]
}

/** Names as they are in TypeScript, of objects within objects too: `class_id` is `classId`. Values stay as they are. */
export function readJson(answer: Answer): unknown {
  try {
    return camelCase(JSON.parse(new TextDecoder().decode(answer.body)))
  } catch (cause) {
    throw invalid('the answer is not JSON', answer, cause)
  }
}

function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return typeof value[0] === 'object' ? value.map(camelCase) : value
  if (typeof value !== 'object' || value === null) return value
  const name = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [name(key), camelCase(inner)]))
}

interface WrittenResult extends Partial<ScoredClass> {
  top?: ScoredClass[]
  logits?: number[]
  /** Base64 of little-endian float32. */
  embedding?: string
  error?: { code: string; detail: string }
}

interface WrittenAnswer {
  model: { name: string; version: string }
  dimensions?: number
  results: WrittenResult[]
}

/** Vectors as Float32Array, and a failed input's error with its place. */
export function readResults(answer: Answer, inputs: number): Omit<WrittenAnswer, 'results'> & { results: object[] } {
  const written = readJson(answer) as WrittenAnswer
  const { results } = written
  if (results?.length !== inputs) throw wrongCount(inputs, results?.length, answer)
  return { ...written, results: results.map(readResult) }
}

function readResult({ logits, embedding, error, ...others }: WrittenResult, index: number): object {
  if (error) return { error: new ResnetServeError(error.code, error.detail, { index }) }
  return {
    ...others,
    ...(logits && { logits: Float32Array.from(logits) }),
    ...(embedding !== undefined && { embedding: readBase64(embedding) }),
  }
}

/** The same of an answer in raw float32, a row for each input. */
export function readRows(answer: Answer, inputs: number): { dimensions: number; results: object[] } {
  const { headers, body } = answer
  // A browser may not be allowed to read the header.
  const dimensions = Number(headers.get('x-embedding-dimensions') ?? body.byteLength / 4 / inputs)
  const rows = body.byteLength / 4 / dimensions
  if (rows !== inputs || !Number.isInteger(dimensions)) throw wrongCount(inputs, rows, answer)
  const row = (i: number): Float32Array => readFloats(body, i * dimensions * 4, dimensions)
  return { dimensions, results: Array.from({ length: inputs }, (_, i) => ({ embedding: row(i) })) }
}

function readBase64(text: string): Float32Array {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return readFloats(bytes.buffer, 0, bytes.length / 4)
}

/** Little-endian, on any machine. */
function readFloats(bytes: ArrayBuffer, offset: number, length: number): Float32Array {
  const view = new DataView(bytes, offset)
  const values = new Float32Array(length)
  for (let i = 0; i < length; i++) values[i] = view.getFloat32(i * 4, true)
  return values
}

/** The length of a tensor is all that separates it from the next. */
function wrongCount(inputs: number, results: number | undefined, answer: Answer): ResnetServeError {
  return invalid(`${results} results for ${inputs} inputs; is a tensor as long as the model's input?`, answer)
}

function invalid(detail: string, { headers }: Answer, cause?: unknown): ResnetServeError {
  const requestId = headers.get('x-request-id') ?? undefined
  return new ResnetServeError('invalid_answer', detail, { requestId, cause })
}
