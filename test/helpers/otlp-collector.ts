import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import protobuf from 'protobufjs'
import { onTestFinished } from 'vitest'

/** What is read here of opentelemetry/proto/collector/trace/v1, with its field numbers. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    bytes parent_span_id = 4;
    string name = 5;
    int32 kind = 6;
    fixed64 start_time_unix_nano = 7;
    fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9;
    repeated Link links = 13;
    Status status = 15;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`)
const Request = root.lookupType('ExportTraceServiceRequest')

type Attributes = Record<string, unknown>

export interface CollectedSpan {
  name: string
  traceId: string
  spanId: string
  /** Empty of a root. */
  parentSpanId: string
  /** 1 internal, 2 server. */
  kind: number
  /** Nanoseconds. */
  start: bigint
  end: bigint
  attributes: Attributes
  links: { traceId: string; spanId: string }[]
  /** 2 is an error. */
  status: number
  resource: Attributes
}

/** A collector that speaks OTLP over HTTP with protobuf, and keeps what it gets. A hanging one never answers. */
export async function startCollector({ hangs = false } = {}) {
  const spans: CollectedSpan[] = []
  const hanging: ServerResponse[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const right = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf'
    if (right) spans.push(...decode(Buffer.concat(chunks)))
    if (hangs) hanging.push(response)
    else response.writeHead(right ? 200 : 400).end()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, hanging }
}

interface KeyValue {
  key: string
  value: Record<string, unknown>
}

function decode(body: Buffer): CollectedSpan[] {
  const options = { longs: String, bytes: String, defaults: true, arrays: true }
  // biome-ignore lint/suspicious/noExplicitAny: as the messages above have it
  const { resourceSpans } = Request.toObject(Request.decode(body), options) as any
  const spans: CollectedSpan[] = []
  for (const { resource, scopeSpans } of resourceSpans) {
    for (const each of scopeSpans) {
      for (const span of each.spans) {
        spans.push({
          name: span.name,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          kind: span.kind,
          start: BigInt(span.startTimeUnixNano),
          end: BigInt(span.endTimeUnixNano),
          attributes: plain(span.attributes),
          links: span.links.map((link: Record<string, string>) => ({
            traceId: hex(link.traceId ?? ''),
            spanId: hex(link.spanId ?? ''),
          })),
          status: span.status?.code ?? 0,
          resource: plain(resource.attributes),
        })
      }
    }
  }
  return spans
}

const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')

function plain(attributes: KeyValue[]): Attributes {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      return [key, value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue)]
    }),
  )
}
