import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import { patience } from './client-signal.ts'
import { type ErrorFormat, errorAnswers } from './error-format.ts'
import { infer } from './infer.ts'
import { binary } from './inference-schema.ts'
import { readMultipart } from './inputs/multipart.ts'
import type { RawInput } from './inputs/raw-input.ts'
import { results, topClasses } from './results.ts'
import { setServerTiming } from './server-timing.ts'
import type { Limits, Services } from './services.ts'

/** Classes in an answer, as TorchServe's `image_classifier` gives. */
const TOP_K = 5

/** TorchServe's names of its exceptions, by the status that each has there. */
const EXCEPTIONS: Record<number, string> = {
  401: 'InvalidKeyException',
  404: 'ResourceNotFoundException',
  405: 'MethodNotAllowedException',
  408: 'RequestTimeoutException',
  429: 'ServiceUnavailableException',
  503: 'ServiceUnavailableException',
  504: 'RequestTimeoutException',
}

/** Errors as TorchServe writes them: `code` is the status. */
export const torchServeFormat: ErrorFormat = ({ status, code, detail }) => {
  const usual = EXCEPTIONS[status] ?? (status < 500 ? 'BadRequestException' : 'InternalServerException')
  const type = code === 'model_not_found' ? 'ModelNotFoundException' : usual
  return { type: 'application/json; charset=utf-8', body: { code: status, type, message: detail } }
}

const ErrorSchema = Type.Object({ code: Type.Integer(), type: Type.String(), message: Type.String() })

const Scores = Type.Record(Type.String(), Type.Number(), {
  description: 'Probabilities by label, in descending order.',
})

const SCHEMA = {
  summary: 'Classify pictures, as TorchServe does',
  description: 'Takes one picture as the body, whatever its Content-Type, or the pictures of a form.',
  tags: ['torchserve'],
  body: { content: { 'application/octet-stream': binary('One image.') } },
  response: {
    200: Type.Union([Scores, Type.Array(Scores)], { description: 'A list where several pictures came.' }),
    ...errorAnswers(ErrorSchema),
  } as Record<string, unknown>,
}

/** PUT is what `curl -T` sends. */
const ROUTES = [
  { operationId: 'predictions', method: 'POST', url: '/predictions/:model' },
  { operationId: 'putPredictions', method: 'PUT', url: '/predictions/:model' },
  { operationId: 'versionPredictions', method: 'POST', url: '/predictions/:model/:version' },
  { operationId: 'putVersionPredictions', method: 'PUT', url: '/predictions/:model/:version' },
] as const

/** `POST` or `PUT /predictions/{model}[/{version}]`: the likeliest classes. */
export function predictions(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    // TorchServe's callers send pictures under any type or none, and curl's own is a form's.
    app.removeContentTypeParser('application/json')
    app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)
    for (const { operationId, method, url } of ROUTES) {
      app.route<{ Params: { model: string; version?: string } }>({
        method,
        url,
        schema: { operationId, ...SCHEMA },
        // The schema is for the API's description: the handler gets bytes.
        validatorCompiler: () => () => true,
        handler: async (request, reply) => {
          const model = services.models.get(request.params.model, request.params.version)
          const { name, architecture } = model.manifest
          if (architecture.numClasses === 0) {
            throw new ServeError('no_classifier', `model ${name} has no classifier, so it has no predictions`)
          }
          const inputs = await readPictures(request, services.limits)
          const inference = await infer(services, { model, inputs, ...patience(request, reply) })
          const answers = results(inference.predictions, ({ logits }) => scoresOf(logits, model.manifest))
          setServerTiming(request, reply, services, inference)
          return answers.length === 1 ? answers[0] : answers
        },
      })
    }
  }
}

/** Probabilities by label, in descending order. Where classes share a label, it has that of the likeliest. */
function scoresOf(logits: Float32Array, manifest: Manifest): Map<string, number> {
  const scores = new Map<string, number>()
  for (const { label, probability } of topClasses(logits, manifest, TOP_K)) {
    if (!scores.has(label)) scores.set(label, probability)
  }
  return scores
}

async function readPictures(request: FastifyRequest, limits: Limits): Promise<RawInput[]> {
  if (request.isMultipart()) return readMultipart(request, limits)
  if (!Buffer.isBuffer(request.body)) throw new ServeError('missing_input', 'the request has no body')
  return [{ image: request.body }]
}

/** `GET /ping`: TorchServe's health check. Unhealthy is 503, as everywhere here; TorchServe says 500. */
export function ping(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    const Status = Type.Object({ status: Type.String() })
    const schema = {
      summary: 'Can requests be sent here, as TorchServe says it',
      tags: ['torchserve'],
      response: { 200: Status, 503: Status },
    }
    app.get('/ping', { schema }, async (_request, reply) => {
      if (services.readiness() === 'ready') return { status: 'Healthy' }
      return reply.code(503).header('retry-after', 1).send({ status: 'Unhealthy' })
    })
  }
}
