import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { type Clock, systemClock } from '../batching/clock.ts'
import { BatchedModel, createModelBatcher, type ModelBatcher } from '../model/batched-model.ts'
import { EngineModel } from '../model/engine-model.ts'
import { EngineProcess } from '../model/engines/engine-process.ts'
import { ImageDecoder } from '../model/input/image-decoder.ts'
import { ModelCatalog } from '../model/model-catalog.ts'
import { type RepositoryEntry, readRepository } from '../model/repository.ts'
import type { Readiness, Services } from '../routes/services.ts'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { Metrics } from './metrics.ts'

/**
 * The parts of the server put together, and their order of life: `create` checks the configuration and the repository,
 * `start` opens the engine and loads the models (HTTP may listen meanwhile and says "starting"), `drain` and `stop` end.
 */
export class Serving {
  readonly app: FastifyInstance
  readonly engine: EngineProcess
  readonly #entries: RepositoryEntry[]
  readonly #models: ModelCatalog
  readonly #batcher: ModelBatcher
  readonly #clock: Clock
  readonly #logger: FastifyBaseLogger
  readonly #state: { phase: 'starting' | 'serving' | 'draining' }

  /** Throws a plain Error when the model repository is not sound. `onFatal` tells of an engine beyond restarting. */
  static async create(config: Config, logger: FastifyBaseLogger, onFatal: (reason: string) => void): Promise<Serving> {
    const entries = readRepository(config.MODEL_REPOSITORY)
    if (config.DEFAULT_MODEL !== undefined && !entries.some(({ manifest }) => manifest.name === config.DEFAULT_MODEL)) {
      throw new Error(`DEFAULT_MODEL is ${config.DEFAULT_MODEL}, which is not in ${config.MODEL_REPOSITORY}`)
    }
    const clock = systemClock
    const state: { phase: 'starting' | 'serving' | 'draining' } = { phase: 'starting' }
    const engine = new EngineProcess({
      engine: config.ENGINE,
      threads: config.ENGINE_THREADS,
      heartbeatTimeoutMs: config.ENGINE_HEARTBEAT_TIMEOUT_MS,
      allowedBatchSizes: config.ALLOWED_BATCH_SIZES,
      clock,
      log: (level, message) => logger[level]({ component: 'engine' }, message),
      onFatal,
    })
    const metrics: Metrics = new Metrics({
      queueDepth: () => batcher.queueDepth,
      engineRestarts: () => engine.restarts,
      engineReady: () => engine.state === 'ready',
    })
    const batcher = createModelBatcher({
      maxBatchSize: config.MAX_BATCH_SIZE,
      batchTimeoutMs: config.BATCH_TIMEOUT_MS,
      maxQueueSize: config.MAX_QUEUE_SIZE,
      concurrency: 1,
      clock,
      onBatch: ({ size, reason }) => metrics.observeBatch(engine.info?.engine ?? 'none', size, reason),
    })
    const models = new ModelCatalog(config.DEFAULT_MODEL)
    const services: Services = {
      clock,
      models,
      images: new ImageDecoder({
        maxPixels: config.MAX_IMAGE_PIXELS,
        timeoutS: config.DECODE_TIMEOUT_S,
        maxPending: config.MAX_QUEUE_SIZE,
      }),
      limits: {
        maxBodyBytes: config.MAX_BODY_BYTES,
        maxInputs: config.MAX_INPUTS_PER_REQUEST,
        requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      },
      readiness: () => readiness(state.phase, engine),
      engine: () => engine.info,
      observeStages: (timings) => metrics.observeStages(timings),
      metrics: () => metrics.expose(),
    }
    const app = await buildApp({ services, metrics, apiKeys: config.API_KEYS, logger })
    return new Serving(app, engine, entries, models, batcher, clock, logger, state)
  }

  private constructor(
    app: FastifyInstance,
    engine: EngineProcess,
    entries: RepositoryEntry[],
    models: ModelCatalog,
    batcher: ModelBatcher,
    clock: Clock,
    logger: FastifyBaseLogger,
    state: { phase: 'starting' | 'serving' | 'draining' },
  ) {
    this.app = app
    this.engine = engine
    this.#entries = entries
    this.#models = models
    this.#batcher = batcher
    this.#clock = clock
    this.#logger = logger
    this.#state = state
  }

  /** Rejects with the reason when no engine runs, or a model cannot be loaded. */
  async start(): Promise<void> {
    const { engine, details, passedOver } = await this.engine.start()
    this.#logger.info({ engine, ...details, passed_over: passedOver }, `engine ${engine}`)
    for (const entry of this.#entries) {
      const { name, version } = entry.manifest
      const key = `${name}/${version}`
      const { parameters, loadMs } = await this.engine.load(key, entry)
      const model = new EngineModel(this.engine, key, entry.manifest, this.#clock)
      this.#models.add(new BatchedModel(model, this.#batcher))
      this.#logger.info({ model: name, version, parameters, load_ms: Math.round(loadMs) }, `model ${key} is loaded`)
    }
    if (this.#state.phase === 'starting') this.#state.phase = 'serving'
  }

  /** From here on /readyz says 503, and connections are closed after their answer; requests are still served. */
  beginDraining(): void {
    this.#state.phase = 'draining'
  }

  /** Finishes what is in flight, accepts nothing more, and ends the engine process. */
  async stop(): Promise<void> {
    await this.app.close()
    await this.#batcher.drain()
    await this.engine.stop()
  }
}

function readiness(phase: 'starting' | 'serving' | 'draining', engine: EngineProcess): Readiness {
  if (phase !== 'serving') return phase
  return engine.state === 'ready' ? 'ready' : 'engine_unavailable'
}
