import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Services } from '../services.ts'
import { openInferenceInfer } from './infer.ts'
import { openInferenceModels } from './models.ts'
import { plainJson } from './plain-json.ts'

/** The Open Inference Protocol over REST, as Triton and KServe speak it, but for its health routes, which need no key. */
export function openInference(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    plainJson(app)
    await app.register(openInferenceModels(services))
    await app.register(openInferenceInfer(services))
  }
}
