import { type Readable, Transform } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { BodyBudget, type BodyMeter } from '../../routes/inputs/body-budget.ts'
import type { Limits } from '../../routes/services.ts'

/**
 * Checks a body before it is read: no encoding but identity, and no more bytes than one request and all requests
 * together may hold. A body of unannounced length is counted as it arrives.
 */
export const bodyLimits = fp(async (app: FastifyInstance, { limits }: { limits: Limits }) => {
  const budget = new BodyBudget(limits)
  app.decorateRequest('bodyMeter', undefined)

  app.addHook('onRequest', (request, reply, done) => {
    const { 'content-encoding': encoding, 'content-length': length, 'transfer-encoding': transfer } = request.headers
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new ServeError('unsupported_content_encoding', 'send the body without Content-Encoding')
    }
    const announced = Number(length ?? 0)
    if (announced > 0 || transfer !== undefined) {
      const meter = budget.open(announced)
      reply.raw.once('close', () => meter.close())
      if (length === undefined) request.bodyMeter = meter
    }
    done()
  })

  app.addHook('preParsing', (request, reply, payload, done) => {
    const { bodyMeter } = request
    // A multipart body is read past this hook, and counted where it is read.
    const multipart = request.headers['content-type']?.trimStart().toLowerCase().startsWith('multipart/')
    if (bodyMeter === undefined || multipart) return done(null, payload)
    const counter = counted(payload, bodyMeter)
    // A body that no parser took is still unread by then.
    reply.raw.once('close', () => counter.destroy())
    done(null, counter)
  })
})

function counted(payload: Readable, meter: BodyMeter): Readable {
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        meter.count(chunk.length)
        done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
  })
  payload.on('error', (error) => counter.destroy(error))
  payload.pipe(counter)
  // After pipe()'s own listener: the rest must be drained, or the connection is stuck.
  return counter.on('close', () => payload.resume())
}
