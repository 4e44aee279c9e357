/** How often something happened, and how long it took in all. */
export interface Total {
  count: number
  ms: number
}

/** What one version of a model has done since it was loaded. Cheap: a few additions for a request and for a batch. */
export class ModelStatistics {
  /** Requests that were answered. */
  readonly success: Total = none()
  /** Requests that were not, for whatever reason. */
  readonly fail: Total = none()
  /** Stages of the requests that were answered and computed. */
  readonly queue: Total = none()
  readonly decode: Total = none()
  readonly compute: Total = none()
  /** Requests that the cache answered. */
  readonly cacheHit: Total = none()
  /** Batches, by size. */
  readonly batches = new Map<number, Total>()
  /** Inputs that were computed for requests that were answered. */
  inferenceCount = 0
  /** The last request, in milliseconds of Unix time; 0 if there was none. */
  lastRequestAt = 0

  observeSuccess(ms: number, stages: { decodeMs: number; queueMs: number; computeMs: number }, inputs: number): void {
    this.lastRequestAt = Date.now()
    add(this.success, ms)
    add(this.decode, stages.decodeMs)
    add(this.queue, stages.queueMs)
    add(this.compute, stages.computeMs)
    this.inferenceCount += inputs
  }

  observeCacheHit(ms: number): void {
    this.lastRequestAt = Date.now()
    add(this.success, ms)
    add(this.cacheHit, ms)
  }

  observeFailure(ms: number): void {
    this.lastRequestAt = Date.now()
    add(this.fail, ms)
  }

  observeBatch(size: number, ms: number): void {
    const total = this.batches.get(size) ?? none()
    this.batches.set(size, total)
    add(total, ms)
  }
}

function none(): Total {
  return { count: 0, ms: 0 }
}

function add(total: Total, ms: number): void {
  total.count++
  total.ms += ms
}
