import { availableParallelism } from 'node:os'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { systemClock } from '../batching/clock.ts'
import { CachedModel, PredictionCache } from '../model/cached-model.ts'
import type { EngineOptions } from '../model/engines/engine.ts'
import { engineEnvironment } from '../model/engines/engine-environment.ts'
import { EnginePool } from '../model/engines/engine-pool.ts'
import { listGpuDevices } from '../model/engines/gpu-devices.ts'
import { type GpuFacts, readGpuFacts } from '../model/engines/gpu-facts.ts'
import { ImageDecoder } from '../model/input/image-decoder.ts'
import { ModelCatalog } from '../model/model-catalog.ts'
import { readRepository } from '../model/repository.ts'
import { createModelBatcher, ServedModel } from '../model/served-model.ts'
import type { Readiness } from '../routes/services.ts'
import { buildApp } from './app.ts'
import { type Config, childEnvironment } from './config.ts'
import { Connections } from './connections.ts'
import { Metrics } from './metrics.ts'
import { Pressure, watchPressure } from './pressure.ts'

/** The server put together, and its order of life: `start`, then `beginDraining`, then `stop`. */
export interface Serving {
  readonly app: FastifyInstance
  /** Opens the engine and loads every model; HTTP may listen meanwhile and says "starting". Rejects with the reason. */
  start(): Promise<void>
  readonly connections: Connections
  /**
   * From here on /readyz says 503, and connections are closed after their answer; requests are still served. Returns
   * whether any were before.
   */
  beginDraining(): boolean
  /** Finishes what is in flight, accepts nothing more, and ends the engine process. */
  stop(): Promise<void>
}

/** What the engine is opened with, here and by the commands that open one themselves. */
export function engineOptions(config: Config): EngineOptions {
  return {
    threads: config.ENGINE_THREADS,
    precision: config.PRECISION,
    tensorflowDir: config.TENSORFLOW_DIR,
    gpu: { memoryLimitMb: config.GPU_MEMORY_LIMIT_MB },
  }
}

/**
 * Checks the repository and connects the parts; nothing runs yet. Throws a plain Error when the repository is not sound.
 * `onFatal` tells of an engine that has been restarted too often. `engineEntry` is the engine process's module: the
 * bench and the tests put doubles there.
 */
export async function createServing(
  config: Config,
  logger: FastifyBaseLogger,
  onFatal: (reason: string) => void,
  engineEntry?: URL,
): Promise<Serving> {
  const entries = readRepository(config.MODEL_REPOSITORY)
  if (config.DEFAULT_MODEL !== undefined && !entries.some(({ manifest }) => manifest.name === config.DEFAULT_MODEL)) {
    throw new Error(`DEFAULT_MODEL is ${config.DEFAULT_MODEL}, which is not in ${config.MODEL_REPOSITORY}`)
  }
  const clock = systemClock
  let phase: 'starting' | 'serving' | 'draining' = 'starting'

  const engine = new EnginePool({
    engine: config.ENGINE,
    options: engineOptions(config),
    devices: config.CUDA_VISIBLE_DEVICES ?? listGpuDevices(),
    processes: config.ENGINE_PROCESSES || Math.min(2, config.ENGINE_THREADS || availableParallelism()),
    env: childEnvironment(engineEnvironment(config.ENGINE)),
    heartbeatTimeoutMs: config.ENGINE_HEARTBEAT_TIMEOUT_MS,
    batchTimeoutMs: config.ENGINE_BATCH_TIMEOUT_MS,
    allowedBatchSizes: config.ALLOWED_BATCH_SIZES,
    clock,
    log: (level, message) => logger[level]({ component: 'engine' }, message),
    maxBatchSize: config.MAX_BATCH_SIZE,
    onOfferChange: () => batcher.wake(),
    onFatal,
    ...(engineEntry ? { entry: engineEntry } : {}),
  })
  const batcher = createModelBatcher(engine, {
    maxBatchSize: config.MAX_BATCH_SIZE,
    batchTimeoutMs: config.BATCH_TIMEOUT_MS,
    maxQueueSize: config.MAX_QUEUE_SIZE,
    clock,
    onBatch: ({ size, reason }) => metrics.observeBatch(engine.info?.engine ?? 'none', size, reason),
  })
  const images = new ImageDecoder({
    maxPixels: config.MAX_IMAGE_PIXELS,
    maxSide: config.MAX_IMAGE_SIDE,
    timeoutS: config.DECODE_TIMEOUT_S,
    maxPending: config.MAX_QUEUE_SIZE,
  })
  const pressure = new Pressure({
    maxEventLoopDelayMs: config.MAX_EVENT_LOOP_DELAY_MS,
    maxRssBytes: config.MAX_RSS_BYTES,
  })
  watchPressure(pressure)
  let gpus: GpuFacts[] = []
  const metrics = new Metrics({
    queueDepth: () => batcher.queueDepth,
    engineRestarts: () => engine.restarts,
    engineReady: () => engine.state === 'ready',
    engineVitals: () => engine.vitals,
  })
  const models = new ModelCatalog(config.DEFAULT_MODEL)
  const cache =
    config.CACHE_MB > 0
      ? new PredictionCache({
          maxBytes: config.CACHE_MB * 2 ** 20,
          maxWaiting: config.MAX_QUEUE_SIZE,
          clock,
          onLookup: (hits, misses) => metrics.observeCache(hits, misses),
        })
      : undefined

  const readiness = (): Readiness => {
    if (phase !== 'serving') return phase
    return engine.state === 'ready' ? 'ready' : 'engine_unavailable'
  }

  const app = await buildApp({
    services: {
      clock,
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
      // Pictures being decoded will want places in the queue as well.
      refusal: (inputs, deadline) => pressure.refusal ?? batcher.refusal(images.pending + inputs, deadline),
      engine: () => engine.info,
      gpus: () => gpus,
      observeStages: (timings) => metrics.observeStages(timings),
      metrics: () => metrics.expose(),
    },
    metrics,
    apiKeys: config.API_KEYS,
    overloadStatus: config.OVERLOAD_STATUS,
    connections: {
      maximum: config.MAX_CONNECTIONS,
      maxRequests: config.MAX_REQUESTS_PER_CONNECTION,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
    },
    logger,
  })

  return {
    app,
    connections: new Connections(app.server, clock),

    async start() {
      gpus = (await readGpuFacts()) ?? []
      const opened = await engine.start()
      logger.info(
        { engine: opened.engine, ...opened.details, passed_over: opened.passedOver },
        `engine ${opened.engine}`,
      )
      for (const entry of entries) {
        const { name, version } = entry.manifest
        const key = `${name}/${version}`
        const loaded = await engine.load(key, entry)
        const { parameters, loadMs, precision, precisionReason } = loaded
        const model = new ServedModel(key, entry.manifest, loaded, batcher)
        models.add(cache ? new CachedModel(model, cache) : model)
        logger.info(
          {
            model: name,
            version,
            parameters,
            precision,
            precision_reason: precisionReason,
            load_ms: Math.round(loadMs),
          },
          `model ${key} is loaded`,
        )
      }
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
