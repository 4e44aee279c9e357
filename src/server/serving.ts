import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { systemClock } from '../batching/clock.ts'
import { type GpuFacts, readGpuFacts } from '../engines/gpu.ts'
import { scanRepository } from '../repository/repository.ts'
import type { Readiness, Services } from '../routes/services.ts'
import { buildApp } from './app.ts'
import { assemble } from './assemble.ts'
import { type Config, childEnvironment } from './config.ts'
import { Connections } from './connections.ts'
import type { GrpcServer } from './grpc/grpc-server.ts'
import { watchRepository } from './repository-watch.ts'
import { isChosen, startupModels } from './startup-models.ts'

/** The assembled server. Call `start`, then `beginDraining`, then `stop`. */
export interface Serving {
  readonly app: FastifyInstance
  /** Undefined where there is no gRPC. */
  readonly grpc: GrpcServer | undefined
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
  const warn = (message: string): void => logger.warn(message)
  const found = await scanRepository(config.MODEL_REPOSITORY, warn)
  const chosen = startupModels(config, found, warn)
  // The libraries are loaded where they are needed alone.
  const tracing = config.TRACES ? (await import('./tracing.ts')).startTracing(logger) : undefined
  const parts = assemble(config, logger, onFatal, tracing, engineEntry)
  const { engine, batcher, models, repository, inFlight, images, pressure, metrics } = parts
  let stopWatching = (): void => {}
  let phase: 'starting' | 'serving' | 'draining' = 'starting'
  let gpus: GpuFacts[] = []

  const readiness = (): Readiness => {
    if (phase !== 'serving') return phase
    return engine.state === 'ready' ? 'ready' : 'engine_unavailable'
  }
  metrics.watchServing(() => readiness() === 'ready', config.REQUEST_TIMEOUT_MS)

  const services: Services = {
    clock: systemClock,
    models,
    inFlight,
    repository: config.ADMIN_API_KEY === undefined ? undefined : repository,
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
  }
  const connections = {
    maximum: config.MAX_CONNECTIONS,
    maxRequests: config.MAX_REQUESTS_PER_CONNECTION,
    keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
  }
  const app = await buildApp({
    services,
    metrics,
    access: {
      apiKeys: config.API_KEYS,
      metricsPublic: config.METRICS_PUBLIC,
      rateLimit: config.RATE_LIMIT,
      corsOrigins: config.CORS_ORIGINS,
      trustedProxies: config.TRUST_PROXY,
    },
    adminApiKey: config.ADMIN_API_KEY,
    overloadStatus: config.OVERLOAD_STATUS,
    playground: builtPlayground(config, logger),
    connections,
    logger,
    tracing,
  })
  let grpc: GrpcServer | undefined
  if (config.GRPC_PORT !== undefined) {
    // Not loaded where it is not used.
    const { createGrpcServer } = await import('./grpc/grpc-server.ts')
    const { API_KEYS: apiKeys } = config
    grpc = createGrpcServer({ services, metrics, budget: app.bodyBudget, apiKeys, connections, logger })
  }

  return {
    app,
    grpc,
    connections: new Connections(app.server, systemClock),

    async start() {
      gpus = (await readGpuFacts(childEnvironment())) ?? []
      const { engine: name, details, passedOver } = await engine.start()
      logger.info({ engine: name, ...details, passed_over: passedOver }, `engine ${name}`)
      await repository.start(chosen, config.STRICT_STARTUP)
      if (phase === 'starting') phase = 'serving'
      if (config.WATCH_REPOSITORY_S > 0 && phase === 'serving') {
        stopWatching = watchRepository({
          clock: systemClock,
          everyMs: config.WATCH_REPOSITORY_S * 1000,
          scan: parts.scan,
          known: found,
          isChosen: (version) => isChosen(config, version),
          repository,
          warn,
        })
      }
    },

    beginDraining() {
      const wasServing = phase === 'serving'
      phase = 'draining'
      stopWatching()
      repository.close()
      return wasServing
    },

    async stop() {
      await Promise.all([app.close(), grpc?.close()])
      await batcher.drain()
      await engine.stop()
      await tracing?.stop()
    },
  }
}

/** The playground's folder; undefined where there is to be none, or where sources are run that nobody has built. */
function builtPlayground({ PLAYGROUND: folder }: Config, logger: FastifyBaseLogger): string | undefined {
  if (folder === undefined || existsSync(join(folder, 'index.html'))) return folder
  logger.warn('there is no playground: `npm run build` builds it')
  return undefined
}
