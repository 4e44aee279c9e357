import type { IncomingHttpHeaders } from 'node:http'
import {
  type Context,
  DiagLogLevel,
  defaultTextMapGetter,
  diag,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  detectResources,
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources'
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from '@opentelemetry/semantic-conventions'
import type { FastifyBaseLogger } from 'fastify'
import type { ComputedBatch } from '../batching/batcher.ts'
import type { ErrorCode } from '../errors.ts'
import type { ServedModel } from '../model/served-model.ts'
import { name, version } from '../routes/info.ts'
import type { RequestTrace } from '../routes/services.ts'

/** How long (ms) the end of the server waits for the last spans to leave. */
const FLUSH_TIMEOUT_MS = 2000
/** The greatest MAX_BATCH_SIZE: a batch is linked to all of its requests. */
const MAX_LINKS = 4096

/** What a request's span tells of it, besides what became of it. */
interface IncomingRequest {
  method: string
  headers: IncomingHttpHeaders
  /** The pattern; undefined for an unknown path. */
  route: string | undefined
  url: string
  protocol: string
  ip: string
  arrivedAt: number
}

/**
 * Opens the OpenTelemetry SDK, which reads its `OTEL_*` variables: where spans go, how many are sampled, what the service
 * is called. Import this module only where traces are wanted.
 */
export function startTracing(logger: FastifyBaseLogger): Tracing {
  const log = logger.child({ component: 'tracing' })
  const warn = (message: string): void => log.warn(message)
  const ignore = (): void => {}
  diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN)
  const resource = resourceFromAttributes({ [ATTR_SERVICE_NAME]: name, [ATTR_SERVICE_VERSION]: version }).merge(
    detectResources({ detectors: [serviceInstanceIdDetector, hostDetector, envDetector] }),
  )
  const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())]
  const requests = new BasicTracerProvider({ resource, spanProcessors })
  // The requests of a batch are sampled already, and it belongs to them.
  const sampler = new AlwaysOnSampler()
  const batches = new BasicTracerProvider({
    resource,
    spanProcessors,
    sampler,
    spanLimits: { linkCountLimit: MAX_LINKS },
  })
  return new Tracing(requests.getTracer(name, version), batches.getTracer(name, version), () => requests.shutdown())
}

/** Spans of requests, of their stages, and of the batches that computed them. All times are `systemClock`'s (ms). */
export class Tracing {
  readonly #requests: Tracer
  readonly #batches: Tracer
  readonly #flush: () => Promise<void>
  readonly #propagator = new W3CTraceContextPropagator()

  constructor(requests: Tracer, batches: Tracer, flush: () => Promise<void>) {
    this.#requests = requests
    this.#batches = batches
    this.#flush = flush
  }

  /** A span by HTTP's semantic conventions, under the caller's if the request has a `traceparent`. */
  startRequest({ method, headers, route, url, protocol, ip, arrivedAt }: IncomingRequest): TracedRequest {
    wallClock.follow()
    const parent = this.#propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
    const attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: method,
      [ATTR_HTTP_ROUTE]: route,
      [ATTR_URL_PATH]: url.split('?', 1)[0],
      [ATTR_URL_SCHEME]: protocol,
      [ATTR_CLIENT_ADDRESS]: ip,
      [ATTR_USER_AGENT_ORIGINAL]: headers['user-agent'],
    }
    const options = { kind: SpanKind.SERVER, startTime: wallClock.at(arrivedAt), attributes }
    const span = this.#requests.startSpan(route === undefined ? method : `${method} ${route}`, options, parent)
    return new TracedRequest(this.#requests, span, trace.setSpan(parent, span))
  }

  /**
   * A span of its own for the batch, linked to the requests in it; and for each of them its wait and the computation, which
   * is linked to the batch. A request of many inputs may be in several batches.
   */
  observeBatch({ key, size, reason, startedAt, computeMs, items }: ComputedBatch<ServedModel>, engine: string): void {
    const submittedAt = new Map<TracedRequest, number>()
    for (const { job } of items) {
      if (job.context instanceof TracedRequest && job.context.isSampled) submittedAt.set(job.context, job.submittedAt)
    }
    if (submittedAt.size === 0) return
    const endedAt = startedAt + computeMs
    const batch = this.#batches.startSpan(
      'batch',
      {
        root: true,
        startTime: wallClock.at(startedAt),
        links: Array.from(submittedAt.keys(), ({ link }) => link),
        attributes: {
          'resnet.batch.size': size,
          'resnet.batch.reason': reason,
          'resnet.model.name': key.manifest.name,
          'resnet.model.version': key.manifest.version,
          'resnet.engine': engine,
        },
      },
      ROOT_CONTEXT,
    )
    batch.end(wallClock.at(endedAt))
    for (const [request, from] of submittedAt) {
      // As Server-Timing has it: a wait is never below 0.
      request.addStage('queue', Math.min(from, startedAt), startedAt)
      request.addStage('compute', startedAt, endedAt, [{ context: batch.spanContext() }])
    }
  }

  /** Sends what has not been sent, unless that takes long. */
  async stop(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS).unref())
    await Promise.race([this.#flush().catch((error) => diag.warn(String(error))), late])
  }
}

/** Beyond this (ms), the wall clock was set, or has drifted from the monotonic one. */
const MAX_DRIFT_MS = 10

/**
 * Milliseconds since 1970 of a time on `systemClock`. The SDK would place each span for itself, to the millisecond: stages of
 * less would begin before their request.
 */
const wallClock = {
  offset: Date.now() - performance.now(),
  at: (ms: number): number => wallClock.offset + ms,
  follow(): void {
    const offset = Date.now() - performance.now()
    if (Math.abs(offset - wallClock.offset) > MAX_DRIFT_MS) wallClock.offset = offset
  },
}

class TracedRequest implements RequestTrace {
  /** To the request's span. */
  readonly link: Link
  readonly isSampled: boolean
  readonly #tracer: Tracer
  readonly #span: Span
  readonly #context: Context

  constructor(tracer: Tracer, span: Span, context: Context) {
    this.#tracer = tracer
    this.#span = span
    this.#context = context
    this.link = { context: span.spanContext() }
    this.isSampled = span.isRecording()
  }

  /** As OpenTelemetry names them in logs. */
  get logIds(): { trace_id: string; span_id: string } {
    const { traceId, spanId } = this.link.context
    return { trace_id: traceId, span_id: spanId }
  }

  addStage(stage: string, from: number, to: number, links: Link[] = []): void {
    if (this.isSampled)
      this.#tracer.startSpan(stage, { startTime: wallClock.at(from), links }, this.#context).end(wallClock.at(to))
  }

  end(at: number, status: number, errorCode: ErrorCode | undefined): void {
    this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status)
    if (errorCode !== undefined) this.#span.setAttribute(ATTR_ERROR_TYPE, errorCode)
    if (status >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end(wallClock.at(at))
  }
}
