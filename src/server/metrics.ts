import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { AUTO_ORDER } from '../engines/engine.ts'
import { REFUSAL_CODES } from '../errors.ts'
import type { StageTimings } from '../routes/services.ts'
import type { EnginePool } from '../workers/pool.ts'

/** In seconds, from a small batch on a fast engine to the default request timeout. */
const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const REFUSALS = new Set<string>(REFUSAL_CODES)
/** In seconds. */
const DELAY_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
const BATCH_SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/**
 * All metrics of the server, in their own registry. Histograms, not summaries: those of several replicas can be added.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = this.#counter(
    'resnet_requests_total',
    'Requests answered, by route, method and HTTP status; of gRPC by path and status.',
    ['route', 'method', 'status'],
  )
  readonly #errors = this.#counter('resnet_request_errors_total', 'Requests that failed, by error code.', ['code'])
  readonly #keys = this.#counter('resnet_requests_by_key_total', 'Requests answered, by the name of their API key.', [
    'key',
  ])
  readonly #refusals = this.#counter(
    'resnet_refusals_total',
    'Inference requests refused with Retry-After, by error code.',
    ['reason'],
  )
  readonly #stages = {
    request: this.#duration('request', 'From the first byte of an inference request to the end of its answer.'),
    decode: this.#duration('decode', 'Decoding and fitting of a request’s inputs.'),
    queue: this.#duration('queue', 'Wait for a batch; the longest of a request’s inputs.'),
    compute: this.#duration('compute', 'The batch on the engine; the longest of a request’s inputs.'),
  }
  readonly #batchSize = this.#histogram('resnet_batch_size', 'Inputs per batch.', BATCH_SIZE_BUCKETS)
  readonly #batches = this.#counter(
    'resnet_batches_total',
    'Batches computed, by engine and by why they left: full, timeout, idle (the engine was free), ahead or retry.',
    ['engine', 'reason'],
  )
  readonly #cacheHits = this.#counter(
    'resnet_cache_hits_total',
    'Inputs answered from the cache, or by a computation that was under way for an equal input.',
  )
  readonly #cacheMisses = this.#counter(
    'resnet_cache_misses_total',
    'Inputs that the cache had no answer to; 0 where there is no cache (CACHE_MB).',
  )

  readonly #eventLoopDelay = this.#histogram(
    'resnet_event_loop_delay_seconds',
    'By how much the event loop is late, asked four times a second.',
    DELAY_BUCKETS,
  )

  /** `keyNames` are those of the API keys. */
  constructor(keyNames: string[] = []) {
    // The summaries of Node's own monitor cannot be added over replicas, and its timer is most of what an idle server does.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 60_000 })
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (/^nodejs_eventloop_lag_\w+_seconds$/.test(name)) this.#registry.removeSingleMetric(name)
    }
    // Series start at 0, so that rate() over a fresh replica is 0, not absent.
    for (const reason of REFUSAL_CODES) this.#refusals.inc({ reason }, 0)
    for (const key of keyNames) this.#keys.inc({ key }, 0)
    for (const engine of AUTO_ORDER) this.#batches.inc({ engine, reason: 'idle' }, 0)
  }

  observeEventLoopDelay(seconds: number): void {
    this.#eventLoopDelay.observe(seconds)
  }

  /** Adds what is read at each scrape. Call it once. */
  watch(
    queue: { queueDepth: number },
    engine: Pick<EnginePool, 'restarts' | 'state' | 'vitals'>,
    models: { list(): unknown[] },
  ): void {
    this.#gauge('resnet_models_loaded', 'Versions of models that are served.', () => models.list().length)
    this.#gauge('resnet_queue_depth', 'Inputs waiting for a batch.', () => queue.queueDepth)
    new Counter({
      name: 'resnet_engine_restarts_total',
      help: 'Times that an engine process was started again.',
      registers: [this.#registry],
      collect() {
        this.reset()
        this.inc(engine.restarts)
      },
    })
    this.#gauge('resnet_engine_ready', '1 while the engine process takes batches.', () => {
      return Number(engine.state === 'ready')
    })
    this.#gauge('resnet_engine_resident_memory_bytes', 'Resident memory of the engine processes.', () => {
      return engine.vitals.residentBytes
    })
    this.#gauge('resnet_engine_tensors', 'Tensors that the engines hold, where their library counts them.', () => {
      return engine.vitals.liveTensors ?? 0
    })
  }

  /** Adds what alerts compare the rest with. Call it once. */
  watchServing(isReady: () => boolean, requestTimeoutMs: number): void {
    this.#gauge('resnet_ready', '1 while /readyz says yes.', () => Number(isReady()))
    this.#gauge('resnet_request_timeout_seconds', 'Longest that a request may take (REQUEST_TIMEOUT_MS).', () => {
      return requestTimeoutMs / 1000
    })
  }

  observeRequest(route: string, method: string, status: number, seconds: number, errorCode: string | undefined): void {
    this.#requests.inc({ route, method, status })
    this.#observeEnd(method === 'POST', seconds, errorCode)
  }

  /** A gRPC call: `path` is `/package.Service/Method`, `status` is the name of its status. */
  observeCall(
    path: string,
    status: string,
    seconds: number,
    errorCode: string | undefined,
    isInference: boolean,
  ): void {
    this.#requests.inc({ route: path, method: 'gRPC', status })
    this.#observeEnd(isInference, seconds, errorCode)
  }

  #observeEnd(isInference: boolean, seconds: number, errorCode: string | undefined): void {
    if (errorCode !== undefined) this.#errors.inc({ code: errorCode })
    if (!isInference) return
    this.#stages.request.observe(seconds)
    if (errorCode !== undefined && REFUSALS.has(errorCode)) this.#refusals.inc({ reason: errorCode })
  }

  /** A request with that key was answered. */
  observeKey(key: string): void {
    this.#keys.inc({ key })
  }

  observeStages({ decodeMs, queueMs, computeMs }: StageTimings): void {
    this.#stages.decode.observe(decodeMs / 1000)
    this.#stages.queue.observe(queueMs / 1000)
    this.#stages.compute.observe(computeMs / 1000)
  }

  observeBatch(engine: string, size: number, reason: string): void {
    this.#batchSize.observe(size)
    this.#batches.inc({ engine, reason })
  }

  observeCache(hits: number, misses: number): void {
    this.#cacheHits.inc(hits)
    this.#cacheMisses.inc(misses)
  }

  async expose(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] })
  }

  #duration(stage: string, help: string): Histogram {
    return this.#histogram(`resnet_${stage}_duration_seconds`, help, DURATION_BUCKETS)
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }
}
