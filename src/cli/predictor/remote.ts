import { type ModelInfo, ResnetClient, ResnetServeError } from '../../client/index.ts'
import { ServeError } from '../../errors.ts'
import { compareVersions } from '../../repository/repository.ts'
import { CommandError } from '../command-error.ts'
import { readPicture } from './pictures.ts'
import type { Answer, ModelIdentity, Predictor, PredictorOptions } from './predictor.ts'

/** Milliseconds until the server must have said what it is. */
const INFO_TIMEOUT_MS = 10_000
/** Milliseconds that a request may take with all retries: how long a server may be away before the command ends. */
const REQUEST_TIMEOUT_MS = 300_000
/** What the client does not send again by itself: a request that waited too long in the queue, and an answer that broke off. */
const SENT_AGAIN = new Set(['deadline_exceeded', 'connection_failed'])
const RETRIES = 5
/** Room for what a form adds to its files. */
const FORM_BYTES = 64 * 1024

/** Statuses that any picture would get. 429 is no picture's fault either. */
const OF_EVERY_REQUEST = new Set([401, 403, 404, 405, 408, 429])

/** A model of a running server. */
export async function openRemote(options: PredictorOptions, url: string): Promise<Predictor> {
  const client = clientOf(url, options.apiKey)
  const info = await client.info({ timeoutMs: INFO_TIMEOUT_MS }).catch(explain)
  if (info.status !== 'ready') throw new CommandError(`the server is not ready: ${info.status}`)
  const name = options.model ?? info.defaultModel
  const chosen = info.models
    .filter((model) => model.name === name && (options.version ?? model.version) === model.version)
    .sort((a, b) => compareVersions(a.version, b.version))
    .at(-1)
  if (chosen) return new Remote(client, chosen, info.limits, options)
  const known = info.models.map((model) => `${model.name}/${model.version}`).join(', ')
  throw new CommandError(`the server has no model ${name}${options.version ? `/${options.version}` : ''}`, {
    hint: `it has ${known}`,
  })
}

function clientOf(baseUrl: string, apiKey: string | undefined): ResnetClient {
  try {
    const headers = { 'user-agent': 'resnet-serve' }
    return new ResnetClient({ baseUrl, apiKey, headers, timeoutMs: REQUEST_TIMEOUT_MS, maxRetries: 1000 })
  } catch (error) {
    throw new CommandError(`--url or --api-key cannot be used: ${(error as Error).message}`)
  }
}

function explain(error: unknown): never {
  if (!(error instanceof ResnetServeError)) throw error
  const hint = error.status === 401 ? { hint: 'give --api-key, or set RESNET_SERVE_API_KEY' } : {}
  throw new CommandError(`the server did not answer: ${error.detail} (${error.code})`, hint)
}

class Remote implements Predictor {
  readonly model: ModelIdentity
  readonly picturesPerCall: number
  readonly concurrency = 8
  readonly failed = new Promise<never>(() => {})
  readonly #client: ResnetClient
  readonly #maxBytes: number
  readonly #options: PredictorOptions

  constructor(
    client: ResnetClient,
    { name, version, embeddingSpace, embeddingSize: dimensions, numClasses: classes }: ModelInfo,
    { maxBodyBytes, maxInputs }: { maxBodyBytes: number; maxInputs: number },
    options: PredictorOptions,
  ) {
    this.#client = client
    this.model = { name, version, embeddingSpace, dimensions, classes }
    this.picturesPerCall = Math.min(16, maxInputs)
    this.#maxBytes = Math.max(1, maxBodyBytes - FORM_BYTES)
    this.#options = options
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {}

  /** As few requests as their size allows. */
  async predict(paths: string[]): Promise<Answer[]> {
    const answers: Answer[] = []
    let pictures: Picture[] = []
    const ask = async (): Promise<void> => {
      if (pictures.length > 0) answers.push(...(await this.#ask(pictures)))
      pictures = []
    }
    for (const path of paths) {
      try {
        const bytes = await readPicture(path, this.#maxBytes)
        if (sizeOf(pictures) + bytes.length > this.#maxBytes) await ask()
        pictures.push({ path, bytes })
      } catch (error) {
        if (!(error instanceof ServeError)) throw error
        await ask()
        answers.push({ path, error: { code: error.code, detail: error.message } })
      }
    }
    await ask()
    return answers
  }

  /** What is too much in one request is asked again one by one, and what is too much alone has failed. */
  async #ask(pictures: Picture[]): Promise<Answer[]> {
    try {
      return await this.#send(pictures)
    } catch (error) {
      if (!(error instanceof ResnetServeError) || !isOfThePictures(error)) return explain(error)
      const [{ path } = { path: '' }, ...others] = pictures
      if (others.length === 0) return [{ path, error: { code: error.code, detail: error.detail } }]
      const answers: Answer[] = []
      for (const picture of pictures) answers.push(...(await this.#ask([picture])))
      return answers
    }
  }

  async #send(pictures: Picture[], retries = RETRIES): Promise<Answer[]> {
    const { name: model, version, classes } = this.model
    const { normalize, topK } = this.#options
    const asked = { model, version, normalize, partial: true, priority: 'low' } as const
    const inputs = pictures.map(({ bytes }) => bytes)
    try {
      const { results, embeddingSpace } =
        classes > 0
          ? await this.#client.classify(inputs, { ...asked, topK, include: ['embedding', 'top'] })
          : await this.#client.embed(inputs, { ...asked, include: ['embedding'] })
      this.#assertSpace(embeddingSpace)
      return results.map((result, i): Answer => {
        const path = pictures[i]?.path as string
        if (result.error) return { path, error: { code: result.error.code, detail: result.error.detail } }
        const classified = 'top' in result ? result.top : []
        const top = classified.map(({ label, classId: class_id, probability }) => ({ label, class_id, probability }))
        return { path, embedding: result.embedding, top }
      })
    } catch (error) {
      if (!(error instanceof ResnetServeError) || !SENT_AGAIN.has(error.code) || retries === 0) throw error
      return await this.#send(pictures, retries - 1)
    }
  }

  #assertSpace(space: string | undefined): void {
    const { name, version, embeddingSpace } = this.model
    if (space === undefined || space === embeddingSpace) return
    throw new CommandError(`the server's ${name}/${version} has become another model: its embeddings lie in ${space}`)
  }
}

interface Picture {
  path: string
  bytes: Buffer
}

function sizeOf(pictures: Picture[]): number {
  return pictures.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function isOfThePictures({ status = 0 }: ResnetServeError): boolean {
  return status >= 400 && status < 500 && !OF_EVERY_REQUEST.has(status)
}
