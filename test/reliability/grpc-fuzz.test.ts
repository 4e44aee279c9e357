import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { buildGrpc } from '../helpers/grpc.ts'
import { fuzzModelInfer } from './grpc-fuzz.ts'

/** Ten thousand are in test/slow. */
const RUNS = 300

describe('gRPC', () => {
  it('blames no damaged ModelInfer request on the server', async () => {
    await fuzzModelInfer(RUNS)
  })

  it('outlives any path and any metadata, and writes none of it to stderr', async () => {
    const stderr = vi.spyOn(console, 'error')
    const { client, port } = await buildGrpc()
    const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {})
    onTestFinished(() => session.destroy())
    const text = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) })
    const key = fc.constantFrom(
      'authorization',
      'grpc-timeout',
      'grpc-encoding',
      'x-request-id',
      'x-bin',
      'content-type',
    )
    const path = fc.oneof(text, fc.constant('inference.GRPCInferenceService/ServerLive'))
    const property = fc.asyncProperty(path, key, text, async (sent, name, value) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': `/${sent}`,
        'content-type': 'application/grpc',
        [name]: value,
      })
      stream.on('error', () => {}).resume()
      stream.end(Buffer.alloc(5))
      if (!stream.closed) await new Promise((closed) => stream.once('close', closed))
    })
    await fc.assert(property, { numRuns: RUNS })
    expect((await client.call('ServerLive')).message).toEqual({ live: true })
    expect(stderr).not.toHaveBeenCalled()
  })

  it('outlives any bytes on a connection, after the beginning of HTTP/2 or without it', async () => {
    // A connection that broke HTTP/2 is closed when it has been idle for this long.
    const connections = { maximum: 100, maxRequests: 0, keepAliveTimeoutMs: 50 }
    const { client, port } = await buildGrpc({ app: { connections } })
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
    const bytes = fc.uint8Array({ maxLength: 300 }).map((values) => Buffer.from(values))
    const property = fc.asyncProperty(bytes, fc.boolean(), async (sent, isHttp2) => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.resume().end(isHttp2 ? Buffer.concat([preface, settings, sent]) : sent)
      await new Promise((closed) => socket.once('close', closed))
    })
    await fc.assert(property, { numRuns: 100 })
    expect((await client.call('ServerLive')).message).toEqual({ live: true })
  })
})
