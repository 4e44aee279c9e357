import { describe, expect, it } from 'vitest'
import { type CollectedSpan, startCollector } from '../helpers/otlp-collector.ts'
import { classify, ITEM_BYTES, MODEL_NAME, startReady } from '../helpers/server-process.ts'

/** Nothing is sent before the end, so that the end is seen to send it. */
const AT_THE_END = { OTEL_BSP_SCHEDULE_DELAY: '600000' }
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

interface Sent {
  headers?: Record<string, string>
  items?: number
  path?: string
}

const send = (url: string, { headers = {}, items = 1, path = '/classify' }: Sent = {}): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', ...headers },
    body: new Uint8Array(items * ITEM_BYTES),
  })

/** The server with what it sends to a collector, once it has ended. */
async function traced(env: Record<string, string> = {}) {
  const collector = await startCollector()
  const server = await startReady({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...AT_THE_END, ...env } })
  const end = async () => {
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    const requests = server.lines.filter(({ msg }) => msg === 'request')
    return { spans: collector.spans, requests }
  }
  return { url: server.url, end }
}

const named = (spans: CollectedSpan[], name: string): CollectedSpan[] => spans.filter((span) => span.name === name)
const idsOf = (spans: CollectedSpan[]) => spans.map(({ traceId, spanId }) => ({ traceId, spanId }))

describe('traces', () => {
  it('have a span for each request, with its stages under it, and one for their batch, linked to all of them', async () => {
    // A batch leaves when it is full, so all three are in one.
    const { url, end } = await traced({ BATCH_TIMEOUT_MS: '10000', MAX_BATCH_SIZE: '3' })
    const answers = await Promise.all([1, 2, 3].map(() => send(url, { headers: { 'user-agent': 'test' } })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const { spans } = await end()

    const requests = named(spans, 'POST /classify')
    expect(requests).toHaveLength(3)
    expect(new Set(requests.map(({ traceId }) => traceId)).size).toBe(3)
    for (const request of requests) {
      expect(request).toMatchObject({
        kind: 2,
        parentSpanId: '',
        status: 0,
        resource: { 'service.name': 'resnet-serve' },
      })
      expect(request.attributes).toEqual({
        'http.request.method': 'POST',
        'http.route': '/classify',
        'url.path': '/classify',
        'url.scheme': 'http',
        'client.address': '127.0.0.1',
        'user_agent.original': 'test',
        'http.response.status_code': 200,
      })
    }

    const batches = named(spans, 'batch')
    expect(batches).toHaveLength(1)
    const [batch] = batches as [CollectedSpan]
    expect(batch.links).toEqual(expect.arrayContaining(idsOf(requests)))
    expect(batch.links).toHaveLength(3)
    expect(batch.attributes).toEqual({
      'resnet.batch.size': 3,
      'resnet.batch.reason': 'full',
      'resnet.model.name': MODEL_NAME,
      'resnet.model.version': '1',
      'resnet.engine': 'onnx',
    })

    for (const { spanId, traceId, start, end } of requests) {
      const stages = spans.filter(({ parentSpanId }) => parentSpanId === spanId)
      expect(stages.map(({ name }) => name).sort()).toEqual(['compute', 'decode', 'queue'])
      for (const stage of stages) {
        expect(stage.traceId).toBe(traceId)
        expect(stage.start >= start && stage.start <= stage.end && stage.end <= end).toBe(true)
      }
      expect(named(stages, 'compute')[0]).toMatchObject({ links: idsOf([batch]), start: batch.start, end: batch.end })
    }
    expect(spans).toHaveLength(3 + 1 + 9)
  })

  it('link each batch to each of its requests once, and a request of many inputs to all of its batches', async () => {
    const { url, end } = await traced({ MAX_BATCH_SIZE: '2' })
    expect((await send(url, { items: 5 })).status).toBe(200)
    const { spans } = await end()
    const requests = named(spans, 'POST /classify')
    const batches = named(spans, 'batch')
    expect(batches.length).toBeGreaterThanOrEqual(3)
    expect(batches.reduce((sum, { attributes }) => sum + Number(attributes['resnet.batch.size']), 0)).toBe(5)
    for (const { links } of batches) expect(links).toEqual(idsOf(requests))
    expect(named(spans, 'compute').flatMap(({ links }) => links)).toEqual(idsOf(batches))
  })

  it('go on from the caller’s traceparent, and their ids are in the log', async () => {
    const { url, end } = await traced()
    const { status } = await send(url, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })
    expect(status).toBe(200)
    expect((await send(url, { headers: { traceparent: 'nonsense' } })).status).toBe(200)
    const { spans, requests } = await end()
    const [joined, own] = named(spans, 'POST /classify')
    expect(joined).toMatchObject({ traceId: TRACE, parentSpanId: PARENT })
    expect(own).toMatchObject({ parentSpanId: '' })
    expect(own?.traceId).not.toBe(TRACE)
    expect(requests.map(({ trace_id, span_id }) => [trace_id, span_id])).toEqual(
      [joined, own].map((span) => [span?.traceId, span?.spanId]),
    )
  })

  it('have the code of a failure, and call it an error if it was the server’s', async () => {
    // The batch is held for longer than the request may take.
    const { url, end } = await traced({ BATCH_TIMEOUT_MS: '10000' })
    expect((await send(url, { path: '/embed?model=none' })).status).toBe(404)
    expect((await send(url, { headers: { 'x-request-timeout-ms': '50' } })).status).toBe(504)
    expect((await send(url, { path: '/nowhere' })).status).toBe(404)
    const { spans } = await end()
    const facts = spans
      .filter(({ kind }) => kind === 2)
      .map(({ name, status, attributes }) => [name, status, attributes['error.type']])
    expect(facts).toEqual([
      ['POST /embed', 0, 'model_not_found'],
      ['POST /classify', 2, 'deadline_exceeded'],
      ['POST', 0, 'not_found'],
    ])
  })

  it('are not made of what only looks, nor of what is not sampled', async () => {
    const { url, end } = await traced({ OTEL_TRACES_SAMPLER: 'parentbased_always_off', OTEL_SERVICE_NAME: 'mine' })
    for (const path of ['/livez', '/metrics', '/info']) expect((await fetch(`${url}${path}`)).status).toBe(200)
    expect((await send(url)).status).toBe(200)
    // Sampled by its caller, which the sampler goes by.
    expect((await send(url, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })).status).toBe(200)
    const { spans, requests } = await end()
    expect(spans.map(({ name }) => name).sort()).toEqual(['POST /classify', 'batch', 'compute', 'decode', 'queue'])
    expect(new Set(spans.map(({ resource }) => resource['service.name']))).toEqual(new Set(['mine']))
    // The log has the ids all the same, but not of what has no span.
    expect(requests.filter(({ trace_id }) => trace_id === undefined).map(({ method }) => method)).not.toContain('POST')
    expect(requests.filter(({ trace_id }) => trace_id !== undefined)).toHaveLength(2)
  })

  it('do not keep the server from ending when the collector hangs', async () => {
    const collector = await startCollector({ hangs: true })
    const server = await startReady({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...AT_THE_END } })
    expect((await classify(server.url)).status).toBe(200)
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    expect(collector.hanging).toHaveLength(1)
  })

  it('are off unless they are asked for: no ids in the log, nothing sent', async () => {
    const collector = await startCollector()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true', OTEL_BSP_SCHEDULE_DELAY: '1' }
    const server = await startReady({ env })
    expect((await send(server.url, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })).status).toBe(200)
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    expect(server.lines.filter((line) => 'trace_id' in line)).toEqual([])
    expect(collector.spans).toEqual([])
  })
})
