import accepts from '@fastify/accepts'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { classify } from '../routes/classify.ts'
import { embed } from '../routes/embed.ts'
import { health } from '../routes/health.ts'
import { info } from '../routes/info.ts'
import { metrics as metricsRoute } from '../routes/metrics.ts'
import { openInferenceHealth } from '../routes/open-inference/health.ts'
import { openInference } from '../routes/open-inference/open-inference.ts'
import { repository } from '../routes/open-inference/repository.ts'
import { embeddings } from '../routes/openai/embeddings.ts'
import { models as openaiModels } from '../routes/openai/models.ts'
import { playground } from '../routes/playground.ts'
import type { Services } from '../routes/services.ts'
import { predict } from '../routes/tensorflow-serving.ts'
import { ping, predictions } from '../routes/torchserve.ts'
import type { ApiKey } from './api-keys.ts'
import { boundServer, type ConnectionLimits, httpOptions } from './http-server.ts'
import type { Metrics } from './metrics.ts'
import { admission } from './plugins/admission.ts'
import { bodyLimits } from './plugins/body-limits.ts'
import { bodyParsers } from './plugins/body-parsers.ts'
import { crossOrigin } from './plugins/cross-origin.ts'
import { expectContinue } from './plugins/expect-continue.ts'
import { listeners } from './plugins/listeners.ts'
import { methodNotAllowed } from './plugins/method-not-allowed.ts'
import { openapi } from './plugins/openapi.ts'
import { pageHeaders } from './plugins/page-headers.ts'
import { pipelining } from './plugins/pipelining.ts'
import { rateLimit } from './plugins/rate-limit.ts'
import { requestContext, requestId } from './plugins/request-context.ts'
import { requireApiKey } from './plugins/require-api-key.ts'
import { strictHttp } from './plugins/strict-http.ts'
import { traceRequests } from './plugins/trace-requests.ts'
import { sendError } from './problem.ts'
import { serializeJson } from './serialize-json.ts'
import type { Tracing } from './tracing.ts'

/** Who may call, and how often. */
export interface Access {
  /** Empty: no key is needed. */
  apiKeys: ApiKey[]
  /** Whether /metrics needs no key. */
  metricsPublic: boolean
  /** Requests a minute of one caller; 0 is no limit. */
  rateLimit: number
  /** Origins whose pages may call; empty: none. */
  corsOrigins: string[]
  /** Addresses whose X-Forwarded-For is believed. */
  trustedProxies: string[]
}

export interface AppOptions {
  services: Services
  metrics: Metrics
  access: Access
  /** Undefined: nobody may change the models. */
  adminApiKey?: ApiKey | undefined
  connections: ConnectionLimits
  /** HTTP status of refusals for overload. */
  overloadStatus: 429 | 503
  /** The folder that the playground is built into; without it, there is none. */
  playground?: string | undefined
  /** Undefined: requests are not traced. */
  tracing?: Tracing | undefined
  logger: FastifyBaseLogger
}

/** The HTTP application, complete but not listening: tests inject requests, `main.ts` binds the port. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, metrics, access, adminApiKey, logger, connections, overloadStatus, tracing } = options
  const { limits, clock, readiness } = services
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    rewriteUrl: ({ url = '/' }) => (isDecodable(url) ? url : UNDECODABLE),
    ...httpOptions({ ...limits, connections }),
    frameworkErrors: sendError,
    trustProxy: access.trustedProxies.length > 0 && access.trustedProxies,
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: true },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.setSerializerCompiler(() => serializeJson)
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))

  app.decorate('overloadStatus', overloadStatus)
  await app.register(requestContext, { clock, metrics, readiness })
  if (tracing) await app.register(traceRequests, tracing)
  boundServer(app, connections)
  await app.register(listeners)
  await app.register(pipelining)
  await app.register(strictHttp)
  if (access.corsOrigins.length > 0) await app.register(crossOrigin, { origins: access.corsOrigins })
  await app.register(methodNotAllowed)
  await app.register(bodyLimits, { limits, clock })
  await app.register(expectContinue)
  await app.register(bodyParsers, { limits })
  await app.register(accepts)
  await app.register(openapi)

  await app.register(health(services))
  await app.register(openInferenceHealth(services))
  await app.register(ping(services))
  if (options.playground !== undefined) {
    const page = playground(options.playground)
    await app.register(async (pages) => {
      await pages.register(pageHeaders)
      await pages.register(page)
    })
  }
  await app.register(async (monitoring) => {
    if (!access.metricsPublic) await monitoring.register(requireApiKey, access)
    await monitoring.register(metricsRoute(services))
  })
  await app.register(async (secured) => {
    if (access.apiKeys.length > 0) await secured.register(requireApiKey, access)
    if (access.rateLimit > 0) await secured.register(rateLimit, { perMinute: access.rateLimit })
    await secured.register(info(services))
    await secured.register(openaiModels(services))
    await secured.register(admission, services)
    await secured.register(classify(services))
    await secured.register(embed(services))
    await secured.register(openInference(services))
    await secured.register(embeddings(services))
    await secured.register(predictions(services))
    await secured.register(predict(services))
  })
  if (adminApiKey !== undefined) {
    await app.register(async (administration) => {
      await administration.register(requireApiKey, { apiKeys: [adminApiKey] })
      await administration.register(repository(services))
    })
  }
  return app
}

/** A path that does not exist. */
const UNDECODABLE = '/undecodable'

/**
 * Whether the router can decode the path. One that it cannot, it would answer by itself, past every hook: no guard, no log
 * line, no count.
 */
function isDecodable(url: string): boolean {
  if (!url.includes('%')) return true
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '')
    return true
  } catch {
    return false
  }
}
