import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type CallOptions, Client, credentials, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js'
import { onTestFinished } from 'vitest'
import { messageType } from '../../src/routes/grpc/messages.ts'
import { type ApiKey, parseApiKey } from '../../src/server/api-keys.ts'
import { createGrpcServer, type GrpcServer } from '../../src/server/grpc/grpc-server.ts'
import { type BuildOptions, build } from './build.ts'

/** A message's fields. */
export type Fields = Record<string, unknown>

/** An answer, or how the call failed. */
export interface Outcome {
  message: Fields
  error: ServiceError | undefined
  /** As it came. */
  bytes: Buffer
  /** Metadata at the end. */
  trailers: Record<string, unknown>
}

/** gRPC over fake models, listening; closed when the test ends. */
export async function buildGrpc({ apiKeys: entries = [], ...options }: BuildOptions = {}) {
  const built = await build(options)
  const { app, services, metrics, logger } = built
  const connections = { maximum: 100, maxRequests: 0, keepAliveTimeoutMs: 5000, ...options.app?.connections }
  const apiKeys = entries.map((entry, i) => parseApiKey(entry, i + 1) as ApiKey)
  const grpc = createGrpcServer({ services, metrics, budget: app.bodyBudget, apiKeys, connections, logger })
  const port = await listening(grpc)
  onTestFinished(() => grpc.close())
  return { ...built, grpc, port, client: grpcClient(port) }
}

async function listening(grpc: GrpcServer): Promise<number> {
  const listener = grpc.createListener().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return (listener.address() as AddressInfo).port
}

/** A connection of its own; closed when the test ends. */
export function grpcClient(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
  })
  onTestFinished(() => client.close())
  const asIs = (bytes: Buffer): Buffer => bytes

  /** Calls a method with any bytes. `hold` gets what cancels the call. */
  function send(path: string, bytes: Buffer, options: CallOptions & { metadata?: Fields } = {}, hold?: Cancel) {
    const { metadata: entries = {}, ...rest } = options
    const metadata = new Metadata()
    for (const [key, value] of Object.entries(entries)) metadata.set(key, String(value))
    let trailers: Record<string, unknown> = {}
    return new Promise<{ error: ServiceError | undefined; bytes: Buffer; trailers: Record<string, unknown> }>(
      (done) => {
        const call = client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, rest, (error, answer) => {
          // The status comes after the callback.
          setImmediate(() => done({ error: error ?? undefined, bytes: answer ?? Buffer.alloc(0), trailers }))
        })
        call.on('status', (status: StatusObject) => {
          trailers = status.metadata.getMap()
        })
        hold?.(() => call.cancel())
      },
    )
  }

  /** Calls a method of the inference service with a message's fields. */
  async function call(method: string, fields: Fields = {}, options?: Parameters<typeof send>[2], hold?: Cancel) {
    const bytes = encode(`inference.${method}Request`, fields)
    const outcome = await send(`/inference.GRPCInferenceService/${method}`, bytes, options, hold)
    const message = outcome.error ? {} : decode(`inference.${method}Response`, outcome.bytes)
    return { ...outcome, message }
  }
  return { client, send, call }
}

type Cancel = (cancel: () => void) => void

export function encode(name: string, fields: Fields): Buffer {
  const type = messageType(name)
  return Buffer.from(type.encode(type.fromObject(fields)).finish())
}

/** Its fields as plain values, defaults too. */
export function decode(name: string, bytes: Buffer): Fields {
  const type = messageType(name)
  return type.toObject(type.decode(bytes), {
    longs: Number,
    enums: String,
    defaults: true,
    arrays: true,
    objects: true,
  })
}
