import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { systemClock } from '../batching/clock.ts'
import { type GpuFacts, readGpuFacts } from '../engines/gpu.ts'
import { ServedModel } from '../model/served-model.ts'
import { type RepositoryEntry, readRepository } from '../repository/repository.ts'
import type { Readiness } from '../routes/services.ts'
import { buildApp } from './app.ts'
import { assemble } from './assemble.ts'
import { type Config, childEnvironment } from './config.ts'
import { Connections } from './connections.ts'

/** The assembled server. Call `start`, then `beginDraining`, then `stop`. */
export interface Serving {
  readonly app: FastifyInstance
  /** Opens the engine and loads every model. HTTP may listen meanwhile; it says "starting". Rejects with the reason. */
  start(): Promise<void>
  readonly connections: Connections
  /**
   * Makes /readyz say 503, and closes each connection after its answer. Requests are still served. Returns whether the
   * server was serving before.
   */
  beginDraining(): boolean
  /** Refuses new requests, finishes those in flight, and ends the engine processes. */
  stop(): Promise<void>
}

/**
 * Checks the repository and assembles the server; nothing runs yet. Throws a plain Error if the repository is invalid.
 * The other arguments are `assemble`'s.
 */
export async function createServing(
  config: Config,
  logger: FastifyBaseLogger,
  onFatal: (reason: string) => void,
  engineEntry?: URL,
): Promise<Serving> {
  const entries = readRepository(config.MODEL_REPOSITORY, (message) => logger.warn(message))
  if (config.DEFAULT_MODEL !== undefined && !entries.some(({ manifest }) => manifest.name === config.DEFAULT_MODEL)) {
    throw new Error(`DEFAULT_MODEL is ${config.DEFAULT_MODEL}, which is not in ${config.MODEL_REPOSITORY}`)
  }
  const { engine, batcher, models, images, pressure, metrics, cached } = assemble(config, logger, onFatal, engineEntry)
  let phase: 'starting' | 'serving' | 'draining' = 'starting'
  let gpus: GpuFacts[] = []

  const readiness = (): Readiness => {
    if (phase !== 'serving') return phase
    return engine.state === 'ready' ? 'ready' : 'engine_unavailable'
  }

  const app = await buildApp({
    services: {
      clock: systemClock,
      models,
      images,
      limits: {
        maxBodyBytes: config.MAX_BODY_BYTES,
        maxPendingBytes: config.MAX_PENDING_BYTES,
        maxJsonValues: config.MAX_JSON_VALUES,
        maxInputs: config.MAX_INPUTS_PER_REQUEST,
        requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      },
      readiness,
      // Images being decoded will need places in the queue too.
      refusal: (model, inputs, deadline, priority) =>
        pressure.refusal ?? model.refusal(images.pending + inputs, deadline, priority),
      engine: () => engine.info,
      gpus: () => gpus,
      observeStages: (timings) => metrics.observeStages(timings),
      metrics: () => metrics.expose(),
    },
    metrics,
    access: {
      apiKeys: config.API_KEYS,
      metricsPublic: config.METRICS_PUBLIC,
      rateLimit: config.RATE_LIMIT,
      corsOrigins: config.CORS_ORIGINS,
      trustedProxies: config.TRUST_PROXY,
    },
    overloadStatus: config.OVERLOAD_STATUS,
    playground: builtPlayground(config, logger),
    connections: {
      maximum: config.MAX_CONNECTIONS,
      maxRequests: config.MAX_REQUESTS_PER_CONNECTION,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
    },
    logger,
  })

  async function load(entry: RepositoryEntry): Promise<void> {
    const { manifest } = entry
    const { name, version } = manifest
    const key = `${name}/${version}`
    const loaded = await engine.load(key, entry)
    const maxBatchSize = Math.min(config.MAX_BATCH_SIZE, manifest.maxBatchSize)
    models.add(cached(new ServedModel(key, manifest, { ...loaded, maxBatchSize }, batcher)))
    const { parameters, loadMs, precision, precisionReason } = loaded
    const line = { model: name, version, parameters, precision, precision_reason: precisionReason }
    logger.info({ ...line, load_ms: Math.round(loadMs) }, `model ${key} is loaded`)
  }

  return {
    app,
    connections: new Connections(app.server, systemClock),

    async start() {
      gpus = (await readGpuFacts(childEnvironment())) ?? []
      const { engine: name, details, passedOver } = await engine.start()
      logger.info({ engine: name, ...details, passed_over: passedOver }, `engine ${name}`)
      for (const entry of entries) await load(entry)
      if (phase === 'starting') phase = 'serving'
    },

    beginDraining() {
      const wasServing = phase === 'serving'
      phase = 'draining'
      return wasServing
    },

    async stop() {
      await app.close()
      await batcher.drain()
      await engine.stop()
    },
  }
}

/** The playground's folder; undefined where there is to be none, or where sources are run that nobody has built. */
function builtPlayground({ PLAYGROUND: folder }: Config, logger: FastifyBaseLogger): string | undefined {
  if (folder === undefined || existsSync(join(folder, 'index.html'))) return folder
  logger.warn('there is no playground: `npm run build` builds it')
  return undefined
}
