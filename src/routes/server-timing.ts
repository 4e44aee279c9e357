import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Inference } from './infer.ts'
import type { Services } from './services.ts'

/** Sets Server-Timing (W3C): the milliseconds of each stage, and the batch size or a cache hit. */
export function setServerTiming(
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  inference: Inference,
): void {
  const { decodeMs, queueMs, computeMs } = inference.timings
  const stages = {
    decode: decodeMs,
    queue: queueMs,
    compute: computeMs,
    total: services.clock.now() - request.arrivedAt,
  }
  const metrics = Object.entries(stages).map(([name, ms]) => `${name};dur=${ms.toFixed(2)}`)
  metrics.push(inference.cached ? 'cache;desc=hit' : `batch;desc="${inference.batchSize}"`)
  reply.header('server-timing', metrics.join(', '))
}
