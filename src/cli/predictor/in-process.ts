import { resolve } from 'node:path'
import { pino } from 'pino'
import { type ErrorCode, ServeError } from '../../errors.ts'
import { ServedModel } from '../../model/served-model.ts'
import { compareVersions, type RepositoryEntry, readRepository } from '../../repository/repository.ts'
import { embeddingOf, topClasses } from '../../routes/results.ts'
import { assemble } from '../../server/assemble.ts'
import { type Config, loadConfig } from '../../server/config.ts'
import { CommandError } from '../command-error.ts'
import { limited } from './limited.ts'
import { readPicture } from './pictures.ts'
import type { Answer, ModelIdentity, Predictor, PredictorOptions } from './predictor.ts'

/** Pictures read and decoded at once: more than libuv has threads, so that none idles, and few, since files may be large. */
const DECODED_AT_ONCE = 16

/** What is wrong with a picture. Any other failure is this machine's. */
const OF_THE_PICTURE = new Set<ErrorCode>([
  'missing_input',
  'payload_too_large',
  'unsupported_image_format',
  'undecodable_image',
  'image_too_large',
  'invalid_tensor',
  'inference_failed',
])

/** The server's own parts without HTTP: batches, decoding, and engines in processes of their own. */
export async function openInProcess(options: PredictorOptions): Promise<Predictor> {
  const config = loadConfig()
  const repository = options.repository === undefined ? config.MODEL_REPOSITORY : resolve(options.repository)
  return new InProcess(config, chooseModel(await readRepository(repository), options, config.DEFAULT_MODEL), options)
}

/** As the server chooses: the default model or the first by name, and its highest version. */
function chooseModel(entries: RepositoryEntry[], { model, version }: PredictorOptions, fallback?: string) {
  const name = model ?? fallback ?? entries.map(({ manifest }) => manifest.name).sort()[0]
  const versions = entries.filter(({ manifest }) => manifest.name === name)
  const chosen = versions
    .filter(({ manifest }) => version === undefined || manifest.version === version)
    .sort((a, b) => compareVersions(a.manifest.version, b.manifest.version))
    .at(-1)
  if (chosen) return chosen
  const known = entries.map(({ manifest }) => `${manifest.name}/${manifest.version}`).join(', ')
  throw new CommandError(`there is no model ${name}${version === undefined ? '' : `/${version}`}`, {
    hint: `the repository has ${known}`,
  })
}

class InProcess implements Predictor {
  readonly model: ModelIdentity
  readonly picturesPerCall = 1
  concurrency = 1
  /** The engine has been restarted too often. */
  readonly failed: Promise<never>
  readonly #config: Config
  readonly #entry: RepositoryEntry
  readonly #options: PredictorOptions
  readonly #parts: ReturnType<typeof assemble>
  readonly #decoding = limited(DECODED_AT_ONCE)
  #served: ServedModel | undefined

  constructor(config: Config, entry: RepositoryEntry, options: PredictorOptions) {
    const { name, version, embeddingSpace, architecture } = entry.manifest
    const { embeddingSize: dimensions, numClasses: classes } = architecture
    this.model = { name, version, embeddingSpace, dimensions, classes }
    this.#config = config
    this.#entry = entry
    this.#options = options
    let fail = (_reason: Error): void => {}
    this.failed = new Promise((_, reject) => {
      fail = reject
    })
    this.failed.catch(() => {})
    const logger = pino({ level: config.LOG_LEVEL === 'info' ? 'warn' : config.LOG_LEVEL }, pino.destination(2))
    this.#parts = assemble(config, logger, (reason) => fail(new CommandError(reason)))
  }

  async start(): Promise<void> {
    const { engine, batcher } = this.#parts
    const { manifest } = this.#entry
    const key = `${manifest.name}/${manifest.version}`
    await engine.start()
    const loaded = await engine.load(key, this.#entry)
    const maxBatchSize = Math.min(this.#config.MAX_BATCH_SIZE, manifest.maxBatchSize)
    this.#served = new ServedModel(key, manifest, { ...loaded, maxBatchSize }, batcher)
    // Each engine process has a batch, and another that waits ahead; as many pictures are on their way.
    this.concurrency = Math.min(2 * maxBatchSize * (engine.count + 1), this.#config.MAX_QUEUE_SIZE)
  }

  async predict(paths: string[]): Promise<Answer[]> {
    return await Promise.all(paths.map((path) => this.#predict(path)))
  }

  async close(): Promise<void> {
    await this.#parts.engine.stop()
  }

  async #predict(path: string): Promise<Answer> {
    if (this.#served === undefined) throw new Error('predict before start')
    const { manifest } = this.#entry
    try {
      const input = await this.#decoding(async () => {
        const bytes = await readPicture(path, this.#config.MAX_BODY_BYTES)
        return await this.#parts.images.decode(bytes, manifest.input)
      })
      const [prediction] = await this.#served.predict([input])
      if (prediction === undefined || prediction instanceof ServeError) throw prediction
      const embedding = embeddingOf(prediction, this.#options)
      const top = this.model.classes === 0 ? [] : topClasses(prediction.logits, manifest, this.#options.topK)
      return { path, embedding, top }
    } catch (error) {
      if (error instanceof ServeError && OF_THE_PICTURE.has(error.code)) {
        return { path, error: { code: error.code, detail: error.message } }
      }
      throw error
    }
  }
}
