import {
  type Classified,
  type ClassifyAnswer,
  type EmbedAnswer,
  type Embedded,
  type FailedInput,
  type Info,
  type Part,
  readJson,
  readResults,
  readRows,
} from './answers.ts'
import { ResnetServeError } from './error.ts'
import { belongTogether, bodyOf, bytesIn, type Input } from './inputs.ts'
import { type Answer, type Clock, send, systemClock, type Transport } from './send.ts'
import { stream } from './stream.ts'

export interface ClientOptions {
  /** Where the server is, as `http://127.0.0.1:8080`; a path in it stays. */
  baseUrl: string
  /** Sent as `Authorization: Bearer`. */
  apiKey?: string | undefined
  /** Milliseconds for one request with its retries, 60,000 by default. The server is told, and computes nothing later. */
  timeoutMs?: number | undefined
  /** How often a request that was not computed is sent again, 5 by default. */
  maxRetries?: number | undefined
  /** Sent with every request. */
  headers?: Record<string, string> | undefined
  /** In place of the global `fetch`. */
  fetch?: typeof fetch | undefined
  /** For tests. */
  clock?: Clock | undefined
  /** For tests: from 0 to 1, as Math.random. */
  random?: (() => number) | undefined
}

export interface RequestOptions {
  /** By default the server's default model, and its highest version. */
  model?: string | undefined
  version?: string | undefined
  /** `low` waits behind everything that is `normal`. */
  priority?: 'normal' | 'low' | undefined
  signal?: AbortSignal | undefined
  /** In place of the client's. */
  timeoutMs?: number | undefined
}

export interface InferenceOptions<I extends Part = Part, P extends boolean = boolean> extends RequestOptions {
  /** What each result holds: `top` by default of `classify`, `embedding` of `embed`. */
  include?: readonly I[] | undefined
  /** Classes in `top`, 5 by default. */
  topK?: number | undefined
  /** Scales embeddings to length 1. */
  normalize?: boolean | undefined
  /** Gives an input that failed its error in its place, and the others their results. */
  partial?: P | undefined
}

export interface StreamOptions<I extends Part = Part> extends Omit<InferenceOptions<I>, 'partial'> {
  /** Most requests at once, 4 by default. */
  concurrency?: number | undefined
  /** Most inputs of a request, 16 by default; a request also ends before 8 MiB, and where pictures follow tensors. */
  batchSize?: number | undefined
}

type Failure<P extends boolean> = P extends true ? FailedInput : never
type Indexed<Result> = Result & {
  /** Position in the source, from 0. */
  index: number
}

/** Half of what the server takes by default. */
const MAX_BATCH_BYTES = 8 * 2 ** 20

/** Every other request would fail as well: a wrong key, path or model. */
const FAILS_ALL = new Set([401, 403, 404, 405])

/** Asks one server. Everything that fails throws `ResnetServeError`; wrong arguments throw `TypeError`. */
export class ResnetClient {
  readonly #baseUrl: string
  readonly #headers: Record<string, string>
  readonly #timeoutMs: number
  readonly #transport: Transport

  constructor(options: ClientOptions) {
    const { baseUrl, apiKey, headers, timeoutMs = 60_000, maxRetries = 5 } = options
    this.#baseUrl = baseUrl.replace(/\/+$/, '')
    this.#headers = { ...headers, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) }
    this.#timeoutMs = timeoutMs
    this.#transport = {
      // Found when it is called, and called as a function: a browser's fetch wants no other `this`.
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      maxRetries,
    }
    // Throws for what fetch would refuse, with a TypeError that would look like a failed connection.
    new Request(`${this.#baseUrl}/info`, { headers: this.#headers })
  }

  /** The likeliest class of each input. */
  async classify<I extends Part = 'top', P extends boolean = false>(
    inputs: Input | readonly Input[],
    options: InferenceOptions<I, P> = {},
  ): Promise<ClassifyAnswer<Classified<I> | Failure<P>>> {
    const list = listOf(inputs)
    const answer = await this.#infer('/classify', list, options, ['top'], false)
    const { model, results } = readResults(answer, list.length)
    return { model, results: results as (Classified<I> | Failure<P>)[], ...factsOf(answer) }
  }

  /** The embedding of each input; alone and without `partial`, embeddings come as raw float32. */
  async embed<I extends Part = 'embedding', P extends boolean = false>(
    inputs: Input | readonly Input[],
    options: InferenceOptions<I, P> = {},
  ): Promise<EmbedAnswer<Embedded<I> | Failure<P>>> {
    const list = listOf(inputs)
    const binary = !options.partial && (options.include ?? ['embedding']).every((part) => part === 'embedding')
    const answer = await this.#infer('/embed', list, options, ['embedding'], binary)
    const { dimensions = 0, results } = binary ? readRows(answer, list.length) : readResults(answer, list.length)
    return { dimensions, results: results as (Embedded<I> | Failure<P>)[], ...factsOf(answer) }
  }

  /** The likeliest class of each of many inputs, as `embedAll` gives their embeddings. */
  classifyAll<I extends Part = 'top'>(
    inputs: AsyncIterable<Input> | Iterable<Input>,
    options: StreamOptions<I> = {},
  ): AsyncGenerator<Indexed<Classified<I> | FailedInput>, void, undefined> {
    return this.#stream(inputs, options, async (batch, asked) => {
      return (await this.classify<I, true>(batch, asked)).results
    })
  }

  /**
   * The embedding of each of many inputs, in their order, however many there are: at most `concurrency * batchSize` inputs
   * are taken from the source before their results are asked for. An input that fails has its error as its result; when a
   * request fails, all its inputs have. A wrong key or model, an abort, and a failure of the source end the stream.
   */
  embedAll<I extends Part = 'embedding'>(
    inputs: AsyncIterable<Input> | Iterable<Input>,
    options: StreamOptions<I> = {},
  ): AsyncGenerator<Indexed<Embedded<I> | FailedInput>, void, undefined> {
    return this.#stream(inputs, options, async (batch, asked) => (await this.embed<I, true>(batch, asked)).results)
  }

  /** Models, engine and limits. */
  async info(options: Pick<RequestOptions, 'signal' | 'timeoutMs'> = {}): Promise<Info> {
    return readJson(await this.#get('/info', options)) as Info
  }

  /** Whether requests can be sent now. Asks once; no answer is a no. */
  async ready(options: Pick<RequestOptions, 'signal' | 'timeoutMs'> = {}): Promise<boolean> {
    try {
      await this.#get('/readyz', options, 0)
      return true
    } catch (error) {
      const { status, code } = error as ResnetServeError
      if (status === 503 || code === 'connection_failed' || code === 'timeout') return false
      throw error
    }
  }

  #get(path: string, { signal, timeoutMs = this.#timeoutMs }: RequestOptions, maxRetries?: number): Promise<Answer> {
    const url = this.#baseUrl + path
    const transport = maxRetries === undefined ? this.#transport : { ...this.#transport, maxRetries }
    return send({ url, method: 'GET', headers: new Headers(this.#headers), timeoutMs, signal }, transport)
  }

  async #infer(
    path: string,
    inputs: readonly Input[],
    options: InferenceOptions,
    usual: readonly Part[],
    binary: boolean,
  ): Promise<Answer> {
    const { signal, priority, timeoutMs = this.#timeoutMs } = options
    const { type, content } = await bodyOf(inputs)
    const headers = new Headers(this.#headers)
    headers.set('accept', binary ? 'application/octet-stream' : 'application/json')
    if (type !== undefined) headers.set('content-type', type)
    if (priority !== undefined) headers.set('x-priority', priority)
    const url = `${this.#baseUrl}${path}?${queryOf(options, usual)}`
    return send({ url, method: 'POST', headers, body: content, timeoutMs, signal }, this.#transport)
  }

  #stream<I extends Part, Result extends object>(
    source: AsyncIterable<Input> | Iterable<Input>,
    { concurrency = 4, batchSize = 16, signal, ...options }: StreamOptions<I>,
    ask: (batch: readonly Input[], options: InferenceOptions<I, true>) => Promise<Result[]>,
  ): AsyncGenerator<Indexed<Result | FailedInput>, void, undefined> {
    if (!(concurrency >= 1 && batchSize >= 1)) throw new TypeError('concurrency and batchSize must be at least 1')
    let count = 0
    return stream({
      source,
      concurrency,
      batchSize,
      signal,
      fits: (batch, next) =>
        belongTogether(batch[0] as Input, next) &&
        batch.reduce((sum, input) => sum + bytesIn(input), bytesIn(next)) <= MAX_BATCH_BYTES,
      send: async (batch, stopped) => {
        const start = count
        count += batch.length
        const results = await ask(batch, { ...options, partial: true, signal: stopped }).catch((error) => {
          if (!(error instanceof ResnetServeError) || FAILS_ALL.has(error.status ?? 0) || stopped.aborted) throw error
          return batch.map((): FailedInput => ({ error }))
        })
        return results.map((result, i) => ({ ...result, index: start + i }))
      },
    })
  }
}

function listOf(inputs: Input | readonly Input[]): readonly Input[] {
  return Array.isArray(inputs) ? inputs : [inputs as Input]
}

function queryOf(
  { model, version, topK, normalize, partial, include }: InferenceOptions,
  usual: readonly Part[],
): URLSearchParams {
  const fields = {
    model,
    version,
    top_k: topK,
    include: (include ?? usual).join(','),
    normalize,
    encoding_format: 'base64',
    partial,
  }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, String(value))
  return query
}

function factsOf({ headers }: Answer): { embeddingSpace: string | undefined; requestId: string | undefined } {
  return {
    embeddingSpace: headers.get('x-embedding-space') ?? undefined,
    requestId: headers.get('x-request-id') ?? undefined,
  }
}
