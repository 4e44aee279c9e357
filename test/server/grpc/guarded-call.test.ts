import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import { connect } from 'node:net'
import { status } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { answer } from '../../helpers/fake-model.ts'
import { buildGrpc, encode, type Fields, grpcClient } from '../../helpers/grpc.ts'
import { floats } from '../../helpers/pictures.ts'

const INFER = '/inference.GRPCInferenceService/ModelInfer'
const GOOD: Fields = {
  model_name: 'fake',
  inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 1, 2, 3] }],
  raw_input_contents: [floats(1, 2, 3, 4, 5, 6)],
}
const MESSAGE = encode('inference.ModelInferRequest', GOOD)

/** A message as it goes over the connection. */
function framed(message: Buffer, { flag = 0, length = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(flag)
  prefix.writeUInt32BE(length, 1)
  return Buffer.concat([prefix, message])
}

/** A call by hand, on a connection of its own. */
function open(port: number, headers: Record<string, string> = {}) {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  onTestFinished(() => session.destroy())
  const stream = session.request({
    ':method': 'POST',
    ':path': INFER,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  stream.on('error', () => {})
  const ended = new Promise<Record<string, unknown>>((done) => {
    // A refusal has one block of headers.
    stream.on('response', (all) => all['grpc-status'] !== undefined && done(all))
    stream.on('trailers', done)
    stream.resume()
  })
  return { session, stream, ended }
}

/** A model that answers once it is told to. */
async function held(options: Parameters<typeof buildGrpc>[0] = {}) {
  const built = await buildGrpc(options)
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let begun = (): void => {}
  const asked = new Promise<void>((resolve) => {
    begun = resolve
  })
  built.model.respond = async (inputs) => {
    begun()
    await released
    return inputs.map(answer)
  }
  return { ...built, release, asked }
}

describe('a key', () => {
  it.each<[string, Record<string, string>, status | undefined]>([
    ['that is right', { authorization: 'Bearer right' }, undefined],
    ['with its scheme in other letters', { authorization: 'bearer right' }, undefined],
    ['that is missing', {}, status.UNAUTHENTICATED],
    ['that is wrong', { authorization: 'Bearer wrong' }, status.UNAUTHENTICATED],
    ['that is empty', { authorization: 'Bearer ' }, status.UNAUTHENTICATED],
    ['without a scheme', { authorization: 'right' }, status.UNAUTHENTICATED],
  ])('%s', async (_, metadata, code) => {
    const { client } = await buildGrpc({ apiKeys: ['other', 'right'] })
    expect((await client.call('ModelInfer', GOOD, { metadata })).error?.code).toBe(code)
    expect((await client.call('ServerMetadata', {}, { metadata })).error?.code).toBe(code)
    expect((await client.call('ServerLive', {}, { metadata })).error).toBeUndefined()
    expect((await client.call('ServerReady', {}, { metadata })).error).toBeUndefined()
  })
})

describe('a message', () => {
  it('larger than MAX_BODY_BYTES is refused, as what the client sent', async () => {
    const { client } = await buildGrpc({ limits: { maxBodyBytes: 1000 } })
    const { error, trailers } = await client.send(INFER, Buffer.alloc(1001))
    expect([error?.code, trailers['error-code']]).toEqual([status.INVALID_ARGUMENT, 'payload_too_large'])
  })

  it('larger than grpc-js allows by itself is taken', async () => {
    const { client } = await buildGrpc({ limits: { maxBodyBytes: 2 ** 23, maxPendingBytes: 2 ** 24 } })
    // Field 100, which nobody knows.
    const padding = Buffer.concat([Buffer.from([0xa2, 0x06, 0x80, 0x80, 0xc0, 0x02]), Buffer.alloc(5 * 2 ** 20)])
    const padded = Buffer.concat([MESSAGE, padding])
    expect((await client.send(INFER, padded)).error).toBeUndefined()
  })

  it('counts towards MAX_PENDING_BYTES with those of HTTP, as it comes, and until its call ends', async () => {
    const { client, app, port } = await buildGrpc({ limits: { maxBodyBytes: 60_000, maxPendingBytes: 100_000 } })
    const slow = open(port)
    slow.stream.write(framed(Buffer.alloc(50_000), { length: 60_000 }))
    while (app.bodyBudget.pendingBytes < 50_000) await new Promise((resolve) => setImmediate(resolve))
    const { error, trailers } = await client.send(INFER, Buffer.alloc(55_000))
    expect([error?.code, trailers['error-code']]).toEqual([status.RESOURCE_EXHAUSTED, 'overloaded'])
    const posted = await app.inject({
      method: 'POST',
      url: '/embed',
      headers: { 'content-type': 'application/octet-stream' },
      payload: Buffer.alloc(55_000),
    })
    expect(posted.json().code).toBe('overloaded')
    slow.stream.close(constants.NGHTTP2_CANCEL)
    while (app.bodyBudget.pendingBytes > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('that is compressed is refused', async () => {
    const { port } = await buildGrpc()
    const { stream, ended } = open(port, { 'grpc-encoding': 'gzip' })
    stream.end(framed(Buffer.from('no gzip'), { flag: 1 }))
    expect(await ended).toMatchObject({
      'grpc-status': String(status.UNIMPLEMENTED),
      'error-code': 'unsupported_content_encoding',
    })
  })

  it('that never comes is the client’s fault', async () => {
    const { port } = await buildGrpc()
    const { stream, ended } = open(port)
    stream.end()
    expect(await ended).toMatchObject({ 'grpc-status': String(status.INVALID_ARGUMENT) })
  })

  it('that is the second of a call is the client’s fault', async () => {
    const { port, model } = await buildGrpc()
    const { stream, ended } = open(port)
    stream.end(Buffer.concat([framed(MESSAGE), framed(MESSAGE)]))
    expect(await ended).toMatchObject({ 'grpc-status': String(status.INVALID_ARGUMENT) })
    expect(model.calls).toEqual([])
  })

  it('is not read while no model is loaded', async () => {
    const { port } = await buildGrpc({ services: { readiness: () => 'starting' } })
    const { ended } = open(port)
    expect(await ended).toMatchObject({ 'grpc-status': String(status.UNAVAILABLE), 'error-code': 'starting' })
  })
})

describe('a deadline', () => {
  it('of the client reaches the model, and ends the call', async () => {
    const { client, model, services, release } = await held()
    const before = services.clock.now()
    const { error } = await client.call('ModelInfer', GOOD, { deadline: Date.now() + 300 })
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED)
    expect(model.calls[0]?.options.deadline).toBeLessThan(before + 9000)
    while (!model.calls[0]?.options.signal?.aborted) await new Promise((resolve) => setImmediate(resolve))
    release()
  })

  it('is never above REQUEST_TIMEOUT_MS, and counts while the message comes', async () => {
    const { port } = await buildGrpc({ limits: { requestTimeoutMs: 100 } })
    const { stream, ended } = open(port)
    stream.write(framed(MESSAGE).subarray(0, 20))
    expect(await ended).toMatchObject({ 'grpc-status': String(status.DEADLINE_EXCEEDED) })
  })

  it('that cannot be read is the client’s fault', async () => {
    const { port } = await buildGrpc()
    const { stream, ended } = open(port, { 'grpc-timeout': 'soon' })
    stream.end(framed(MESSAGE))
    expect(await ended).toMatchObject({ 'grpc-status': String(status.INVALID_ARGUMENT) })
  })
})

describe('a call that its client cancels', () => {
  it('is cancelled in the model, logged and counted', async () => {
    const log: string[] = []
    const { client, model, services, release, asked } = await held({ log })
    let cancel = (): void => {}
    const outcome = client.call('ModelInfer', GOOD, {}, (take) => {
      cancel = take
    })
    await asked
    const aborted = new Promise<void>((done) => {
      model.calls[0]?.options.signal?.addEventListener('abort', done)
    })
    cancel()
    expect((await outcome).error?.code).toBe(status.CANCELLED)
    await aborted
    release()
    while (log.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const { text } = await services.metrics()
    expect(text).toContain(`resnet_requests_total{route="${INFER}",method="gRPC",status="CANCELLED"} 1`)
    expect(text).toContain('resnet_request_errors_total{code="canceled"} 1')
  })
})

describe('every call', () => {
  it('has a line in the log and a count, with its id', async () => {
    const log: string[] = []
    const { client, services } = await buildGrpc({ log })
    const { trailers } = await client.call('ModelInfer', GOOD, { metadata: { 'x-request-id': 'mine' } })
    expect(trailers['x-request-id']).toBe('mine')
    await client.call('ModelMetadata', { name: 'cats' })
    while (log.length < 2) await new Promise((resolve) => setImmediate(resolve))
    const [first, second] = log.map((line) => JSON.parse(line))
    expect(first).toMatchObject({
      reqId: 'mine',
      method: 'gRPC',
      route: INFER,
      status: 'OK',
      duration_ms: expect.any(Number),
    })
    expect(second).toMatchObject({ status: 'NOT_FOUND', code: 'model_not_found' })
    const { text } = await services.metrics()
    expect(text).toContain(`resnet_requests_total{route="${INFER}",method="gRPC",status="OK"} 1`)
    expect(text).toContain('resnet_request_duration_seconds_count 1')
  })
})

describe('a server that closes', () => {
  it('finishes the call under way, and takes no other', async () => {
    const { client, grpc, port, release, asked } = await held()
    const under = client.call('ModelInfer', GOOD)
    await asked
    const closed = grpc.close()
    const late = await grpcClient(port).call('ModelInfer', GOOD)
    expect(late.error?.code).toBe(status.UNAVAILABLE)
    release()
    expect((await under).error).toBeUndefined()
    await closed
  })

  it('does not wait for clients that say nothing', async () => {
    const { grpc, port } = await buildGrpc()
    const silent = connect(port, '127.0.0.1')
    onTestFinished(() => {
      silent.destroy()
    })
    await once(silent, 'connect')
    const half = open(port)
    half.stream.write(framed(MESSAGE).subarray(0, 20))
    const idle = connectHttp2(`http://127.0.0.1:${port}`)
    onTestFinished(() => idle.destroy())
    await Promise.all([once(idle, 'remoteSettings'), once(half.session, 'remoteSettings')])
    await grpc.close()
    expect(await half.ended).toMatchObject({ 'grpc-status': String(status.UNAVAILABLE), 'error-code': 'draining' })
  })
})
