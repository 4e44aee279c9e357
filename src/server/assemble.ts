import { availableParallelism } from 'node:os'
import type { FastifyBaseLogger } from 'fastify'
import { systemClock } from '../batching/clock.ts'
import type { EngineOptions } from '../engines/engine.ts'
import { listGpuDevices } from '../engines/gpu.ts'
import { CachedModel, PredictionCache } from '../model/cached-model.ts'
import { ModelCatalog } from '../model/catalog.ts'
import { InFlight } from '../model/in-flight.ts'
import type { Model } from '../model/model.ts'
import { ModelRepository } from '../model/model-repository.ts'
import { createModelBatcher, ServedModel } from '../model/served-model.ts'
import { ImageDecoder } from '../preprocessing/image-decoder.ts'
import { type FoundVersion, scanRepository } from '../repository/repository.ts'
import { EnginePool } from '../workers/pool.ts'
import { engineEnvironment } from '../workers/process.ts'
import { type Config, childEnvironment } from './config.ts'
import { Metrics } from './metrics.ts'
import { Pressure, watchPressure } from './pressure.ts'
import type { Tracing } from './tracing.ts'

/** Share of the queue that low requests may fill: bulk work must not shut others out. */
const LOW_SHARE_OF_QUEUE = 7 / 8

/** The engine's options, for the server and for commands that open an engine. */
export function engineOptions(config: Config): EngineOptions {
  return {
    threads: config.ENGINE_THREADS,
    precision: config.PRECISION,
    tensorflowDir: config.TENSORFLOW_DIR,
    gpu: { memoryLimitMb: config.GPU_MEMORY_LIMIT_MB },
  }
}

/**
 * Creates and connects the parts of the server other than HTTP; nothing runs yet. `onFatal` is called when the engine
 * has been restarted too often. `engineEntry` replaces the engine process's module in the bench and in tests.
 */
export function assemble(
  config: Config,
  logger: FastifyBaseLogger,
  onFatal: (reason: string) => void,
  tracing?: Tracing,
  engineEntry?: URL,
) {
  const clock = systemClock
  const metrics = new Metrics(config.API_KEYS.map(({ name }) => name))
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
    onFatal,
    ...(engineEntry ? { entry: engineEntry } : {}),
  })
  const batcher = createModelBatcher(engine, {
    batchTimeoutMs: config.BATCH_TIMEOUT_MS,
    maxQueueSize: config.MAX_QUEUE_SIZE,
    // A low request of any allowed size must have room.
    maxLowQueueSize: Math.max(Math.floor(LOW_SHARE_OF_QUEUE * config.MAX_QUEUE_SIZE), config.MAX_INPUTS_PER_REQUEST),
    clock,
    onBatch: (batch) => {
      const name = engine.info?.engine ?? 'none'
      metrics.observeBatch(name, batch.size, batch.reason)
      tracing?.observeBatch(batch, name)
    },
  })
  engine.onOfferChange = () => batcher.wake()
  const models = new ModelCatalog(config.DEFAULT_MODEL, config.DEFAULT_VERSIONS)
  metrics.watch(batcher, engine, models)
  const inFlight = new InFlight()
  const cached = createCache(config, metrics)
  // What is passed over has been said at the start.
  const scan = (): Promise<FoundVersion[]> => scanRepository(config.MODEL_REPOSITORY)
  const repository = new ModelRepository({
    engine,
    catalog: models,
    inFlight,
    scan,
    serve(key, manifest, loaded) {
      const maxBatchSize = Math.min(config.MAX_BATCH_SIZE, manifest.maxBatchSize)
      return cached(new ServedModel(key, manifest, { ...loaded, maxBatchSize }, batcher))
    },
    maxLoaded: config.MAX_LOADED_MODELS,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    clock,
    log: (level, fields, message) => logger[level](fields, message),
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
  watchPressure(pressure, clock, (delayMs) => metrics.observeEventLoopDelay(delayMs / 1000))
  return {
    engine,
    batcher,
    models,
    repository,
    scan,
    inFlight,
    images,
    pressure,
    metrics,
  }
}

/** What puts the cache in front of a model, if there is one. */
function createCache({ CACHE_MB, MAX_QUEUE_SIZE }: Config, metrics: Metrics): (model: Model) => Model {
  if (CACHE_MB === 0) return (model) => model
  const cache = new PredictionCache({
    maxBytes: CACHE_MB * 2 ** 20,
    maxWaiting: MAX_QUEUE_SIZE,
    clock: systemClock,
    onLookup: (hits, misses) => metrics.observeCache(hits, misses),
  })
  return (model) => new CachedModel(model, cache)
}
