import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { LoadReport } from '../load-report.ts'

interface Options {
  report: LoadReport
  format: 'text' | 'json'
}

/** Every answer of these routes, refusals too, says how busy the replica is. */
export const reportLoad = fp(async (app: FastifyInstance, { report, format }: Options) => {
  app.addHook('onSend', (_request, reply, payload, done) => {
    report.countRequest(reply.statusCode >= 500)
    reply.header('endpoint-load-metrics', report.render(format))
    done(null, payload)
  })
})
