import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { REFUSAL_CODES } from '../errors.ts'
import { AUTO_ORDER } from '../model/engines/engine.ts'
import type { Vitals } from '../model/engines/protocol.ts'
import type { StageTimings } from '../routes/services.ts'

/** Seconds: from half a millisecond, a small batch on a fast engine, to the default request timeout. */
const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const REFUSALS = new Set<string>(REFUSAL_CODES)
const BATCH_SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

export interface Sources {
  queueDepth: () => number
  engineRestarts: () => number
  engineReady: () => boolean
  engineVitals: () => Vitals
}

/** All series of the server, in a registry of its own. Histograms rather than summaries: they add up over replicas. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests: Counter<'route' | 'method' | 'status'>
  readonly #errors: Counter<'code'>
  readonly #refusals: Counter<'reason'>
  readonly #stages: Record<'request' | 'decode' | 'queue' | 'compute', Histogram>
  readonly #batchSize: Histogram
  readonly #batches: Counter<'engine' | 'reason'>

  constructor(sources: Sources) {
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    const counter = <Label extends string>(name: string, labelNames: Label[], help: string): Counter<Label> =>
      new Counter({ name, help, labelNames, registers })
    this.#requests = counter(
      'resnet_requests_total',
      ['route', 'method', 'status'],
      'Requests answered, by route, method and HTTP status.',
    )
    this.#errors = counter('resnet_request_errors_total', ['code'], 'Requests that failed, by error code.')
    this.#refusals = counter(
      'resnet_refusals_total',
      ['reason'],
      'Inference requests refused with Retry-After, by error code.',
    )
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name, help, buckets, registers })
    const duration = (stage: string, help: string): Histogram =>
      histogram(`resnet_${stage}_duration_seconds`, help, DURATION_BUCKETS)
    this.#stages = {
      request: duration('request', 'From the first byte of an inference request to the end of its answer.'),
      decode: duration('decode', 'Decoding and fitting of a request’s inputs.'),
      queue: duration('queue', 'Wait for a batch; the longest of a request’s inputs.'),
      compute: duration('compute', 'The batch on the engine; the longest of a request’s inputs.'),
    }
    this.#batchSize = histogram('resnet_batch_size', 'Inputs per batch.', BATCH_SIZE_BUCKETS)
    this.#batches = counter(
      'resnet_batches_total',
      ['engine', 'reason'],
      'Batches computed, by engine and by why they left: full, timeout, idle (the engine was free) or retry.',
    )
    this.#gauge('resnet_queue_depth', 'Inputs waiting for a batch.', sources.queueDepth)
    this.#gauge('resnet_engine_restarts', 'Times the engine process was started again.', sources.engineRestarts)
    this.#gauge('resnet_engine_ready', '1 while the engine process takes batches.', () => Number(sources.engineReady()))
    this.#gauge('resnet_engine_resident_memory_bytes', 'Resident memory of the engine processes.', () => {
      return sources.engineVitals().residentBytes
    })
    this.#gauge('resnet_engine_tensors', 'Tensors that the engines hold, where their library counts them.', () => {
      return sources.engineVitals().liveTensors ?? 0
    })
    // Series exist before the first event, so that rate() over a fresh replica is 0 and not absent.
    for (const reason of REFUSAL_CODES) this.#refusals.inc({ reason }, 0)
    for (const engine of AUTO_ORDER) this.#batches.inc({ engine, reason: 'idle' }, 0)
  }

  observeRequest(route: string, method: string, status: number, seconds: number, errorCode: string | undefined): void {
    this.#requests.inc({ route, method, status })
    if (errorCode !== undefined) this.#errors.inc({ code: errorCode })
    if (method !== 'POST') return
    this.#stages.request.observe(seconds)
    if (errorCode !== undefined && REFUSALS.has(errorCode)) this.#refusals.inc({ reason: errorCode })
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

  async expose(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() }
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
