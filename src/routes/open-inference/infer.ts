import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServeError } from '../../errors.ts'
import type { Prediction } from '../../model/model.ts'
import { patience } from '../client-signal.ts'
import { infer } from '../infer.ts'
import { setServerTiming } from '../server-timing.ts'
import type { Services } from '../services.ts'
import { readInferRequest } from './infer-request.ts'
import { inferResponse } from './infer-response.ts'
import { InferRequestSchema, InferResponseSchema } from './infer-schema.ts'
import { chooseOutputs, outputTensors } from './outputs.ts'
import { readScheduling } from './parameters.ts'
import { readInput } from './read-input.ts'
import { ModelParams, schemaOf, VersionParams } from './schemas.ts'

const JSON_LENGTH = 'inference-header-content-length'

/** `POST /v2/models/{model}[/versions/{version}]/infer`, with tensors as JSON or as bytes behind it, in both directions. */
export function openInferenceInfer(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    // Clients send no Content-Type, or any: the header above says what the body is.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) => body)

    const schema = { body: InferRequestSchema, ...schemaOf('Infer', InferResponseSchema) }
    // The schema is for the API's description: the body is bytes until `readInferRequest` has read them.
    const options = { validatorCompiler: () => () => true }
    app.post('/v2/models/:model/infer', { schema: { params: ModelParams, ...schema }, ...options }, answer)
    app.post(
      '/v2/models/:model/versions/:version/infer',
      { schema: { params: VersionParams, ...schema }, ...options },
      answer,
    )
  }

  async function answer(request: FastifyRequest, reply: FastifyReply) {
    const { model: name, version } = request.params as { model: string; version?: string }
    const model = services.models.get(name, version)
    const { manifest } = model
    if (!Buffer.isBuffer(request.body)) throw new ServeError('missing_input', 'the request has no body')
    const asked = readInferRequest(request.body, jsonLengthOf(request), manifest.input, services.limits)
    const outputs = chooseOutputs(asked.outputs, manifest)
    const { timeoutMs, priority } = readScheduling(asked.parameters)
    const inputs = readInput(asked.inputs, manifest.input, services.limits)

    const { deadline, ...others } = patience(request, reply)
    const inference = await infer(services, {
      model,
      inputs,
      ...others,
      deadline: Math.min(deadline, request.arrivedAt + timeoutMs),
      ...(priority === undefined ? {} : { priority }),
    })
    // None is an error, since a part of an answer was not asked for.
    const tensors = outputTensors(outputs, inference.predictions as Prediction[], manifest)
    const { json, binary } = inferResponse(asked, manifest, tensors)
    setServerTiming(request, reply, services, inference)
    reply.header('x-embedding-space', manifest.embeddingSpace)
    if (binary.length === 0) return json
    const head = Buffer.from(reply.serialize(json) as string)
    reply.header(JSON_LENGTH, head.length).type('application/octet-stream')
    return Buffer.concat([head, ...binary])
  }
}

function jsonLengthOf({ headers }: FastifyRequest): string | undefined {
  const value = headers[JSON_LENGTH]
  return Array.isArray(value) ? value.join() : value
}
