import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'
import { ServeError } from '../../src/errors.ts'
import { ModelCatalog } from '../../src/model/catalog.ts'
import { InFlight } from '../../src/model/in-flight.ts'
import { ImageDecoder } from '../../src/preprocessing/image-decoder.ts'
import type { Limits, Services } from '../../src/routes/services.ts'
import { type ApiKey, parseApiKey } from '../../src/server/api-keys.ts'
import { type Access, type AppOptions, buildApp } from '../../src/server/app.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { FakeModel } from './fake-model.ts'

export interface BuildOptions {
  services?: Partial<Omit<Services, 'limits'>>
  limits?: Partial<Limits>
  models?: FakeModel[]
  /** As in API_KEYS. */
  apiKeys?: string[]
  access?: Partial<Access>
  app?: Partial<AppOptions>
  /** Receives the log, a line each. */
  log?: string[]
  /** Takes what closes the application; without it, that is done when the test ends. */
  onEnd?: (close: () => Promise<void>) => void
}

/** The whole HTTP application over fake models, not listening; closed when the test ends unless told otherwise. */
export async function build(options: BuildOptions = {}) {
  const model = options.models?.[0] ?? new FakeModel()
  const models = new ModelCatalog()
  for (const each of options.models ?? [model]) models.add(each)
  const apiKeys = (options.apiKeys ?? []).map((entry, i) => parseApiKey(entry, i + 1) as ApiKey)
  const metrics = new Metrics(apiKeys.map(({ name }) => name))
  metrics.watch(
    { queueDepth: 0 },
    { restarts: 0, state: 'ready', vitals: { residentBytes: 0, liveTensors: 0 } },
    models,
  )
  metrics.watchServing(() => true, 10_000)
  const services: Services = {
    clock: systemClock,
    models,
    inFlight: new InFlight(),
    images: new ImageDecoder({ maxPixels: 1_000_000, maxSide: 5000, timeoutS: 10, maxPending: 100 }),
    limits: {
      maxBodyBytes: 100_000,
      maxPendingBytes: 1_000_000,
      maxInputs: 8,
      maxJsonValues: 2000,
      requestTimeoutMs: 10_000,
      ...options.limits,
    },
    readiness: () => 'ready',
    // As a batcher with an empty queue has it.
    refusal: (_model, _inputs, deadline) =>
      deadline > systemClock.now() ? undefined : new ServeError('deadline_exceeded', 'the deadline passed'),
    engine: () => ({
      engine: 'onnx',
      details: { version: '0' },
      takesAllThreads: true,
      passedOver: [{ engine: 'cuda', reason: 'no GPU' }],
    }),
    gpus: () => [],
    observeStages: (timings) => metrics.observeStages(timings),
    metrics: () => metrics.expose(),
    ...options.services,
  }
  const lines = options.log
  const logger = lines
    ? pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
    : pino({ level: 'silent' })
  const app = await buildApp({
    services,
    metrics,
    access: { apiKeys, metricsPublic: true, rateLimit: 0, corsOrigins: [], trustedProxies: [], ...options.access },
    connections: { maximum: 100, maxRequests: 0, keepAliveTimeoutMs: 5000 },
    overloadStatus: 503,
    logger,
    ...options.app,
  })
  await app.ready()
  const { onEnd = onTestFinished } = options
  onEnd(() => app.close())
  return { app, model, services, metrics, logger }
}
