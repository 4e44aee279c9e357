import accepts from '@fastify/accepts'
import bearerAuth from '@fastify/bearer-auth'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { ServeError } from '../errors.ts'
import { classify } from '../routes/classify.ts'
import { embed } from '../routes/embed.ts'
import { health } from '../routes/health.ts'
import { info } from '../routes/info.ts'
import { metrics as metricsRoute } from '../routes/metrics.ts'
import { repository } from '../routes/open-inference/repository.ts'
import type { Services } from '../routes/services.ts'
import { boundServer, type ConnectionLimits, httpOptions } from './http-server.ts'
import type { Metrics } from './metrics.ts'
import { admission } from './plugins/admission.ts'
import { bodyLimits } from './plugins/body-limits.ts'
import { bodyParsers } from './plugins/body-parsers.ts'
import { expectContinue } from './plugins/expect-continue.ts'
import { listeners } from './plugins/listeners.ts'
import { methodNotAllowed } from './plugins/method-not-allowed.ts'
import { openapi } from './plugins/openapi.ts'
import { pipelining } from './plugins/pipelining.ts'
import { requestContext, requestId } from './plugins/request-context.ts'
import { strictHttp } from './plugins/strict-http.ts'
import { sendError } from './problem.ts'
import { serializeJson } from './serialize-json.ts'

export interface AppOptions {
  services: Services
  metrics: Metrics
  /** Empty: no key is needed. */
  apiKeys: string[]
  /** Undefined: nobody may change the models. */
  adminApiKey?: string | undefined
  connections: ConnectionLimits
  /** HTTP status of refusals for overload. */
  overloadStatus: 429 | 503
  logger: FastifyBaseLogger
}

/** The HTTP application, complete but not listening: tests inject requests, `main.ts` binds the port. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, metrics, apiKeys, adminApiKey, logger, connections, overloadStatus } = options
  const { limits, clock, readiness } = services
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    rewriteUrl: ({ url = '/' }) => (isDecodable(url) ? url : UNDECODABLE),
    ...httpOptions({ ...limits, connections }),
    frameworkErrors: sendError,
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: true },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.setSerializerCompiler(() => serializeJson)
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))

  app.decorate('overloadStatus', overloadStatus)
  await app.register(requestContext, { clock, metrics, readiness })
  boundServer(app, connections)
  await app.register(listeners)
  await app.register(pipelining)
  await app.register(strictHttp)
  await app.register(methodNotAllowed)
  await app.register(bodyLimits, { limits, clock })
  await app.register(expectContinue)
  await app.register(bodyParsers, { limits })
  await app.register(accepts)
  await app.register(openapi)

  await app.register(health(services))
  await app.register(metricsRoute(services))
  await app.register(async (secured) => {
    if (apiKeys.length > 0) await requireApiKey(secured, apiKeys)
    await secured.register(info(services))
    await secured.register(admission, services)
    await secured.register(classify(services))
    await secured.register(embed(services))
  })
  if (adminApiKey !== undefined) {
    await app.register(async (administration) => {
      await requireApiKey(administration, [adminApiKey])
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

/** The plugin compares keys in constant time; we only word the refusal. */
async function requireApiKey(app: FastifyInstance, apiKeys: string[]): Promise<void> {
  // rfc6749: the scheme in any case, as HTTP has it (RFC 9110, 11.1).
  await app.register(bearerAuth, { keys: new Set(apiKeys), addHook: false, specCompliance: 'rfc6749' })
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, security: [{ bearer: [] }] }
  })
  app.addHook('onRequest', (request, reply, done) => {
    app.verifyBearerAuth?.(request, reply, (error) => {
      done(error ? new ServeError('unauthorized', 'send Authorization: Bearer <API key>') : undefined)
    })
  })
}
