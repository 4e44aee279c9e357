import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import { HEALTH_SERVICE, healthService } from '../../routes/grpc/health.ts'
import { INFERENCE_SERVICE, inferenceService } from '../../routes/grpc/inference-service.ts'
import type { ConnectionLimits } from '../http-server.ts'
import { ShortLivedSet } from '../short-lived-set.ts'
import { type CallOptions, GuardedCall } from './guarded-call.ts'

/** Calls at once on one connection. */
const MAX_CONCURRENT_CALLS = 256
/** How often (ms) a connection is asked whether its client is still there. */
const PING_MS = 60_000
/** How often (ms) a closing server looks for clients that keep it waiting, by neither sending nor reading. */
const SWEEP_MS = 2000

/** Methods that need no key, as HTTP's health paths. */
const OPEN = new RegExp(`^/(${HEALTH_SERVICE}/|${INFERENCE_SERVICE}/Server(Live|Ready)$)`)

export interface GrpcOptions extends CallOptions {
  connections: ConnectionLimits
}

/** gRPC, complete but not listening: who listens asks for a listener for each address. */
export interface GrpcServer {
  createListener(): NetServer
  /** Takes no new calls and finishes those under way. */
  close(): Promise<void>
}

export function createGrpcServer(options: GrpcOptions): GrpcServer {
  const { services, connections } = options
  // grpc-js would write metadata that it cannot read to stderr, keys among it.
  setLogVerbosity(logVerbosity.NONE)
  const calls = new ShortLivedSet<GuardedCall>()
  const server = new Server({
    'grpc.max_receive_message_length': services.limits.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
    'grpc.max_connection_idle_ms': connections.keepAliveTimeoutMs,
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.enable_channelz': 0,
    interceptors: [
      ({ path, responseStream }, inner) => {
        const call = new GuardedCall(
          inner,
          {
            path,
            isOpen: OPEN.test(path),
            isInference: path === `/${INFERENCE_SERVICE}/ModelInfer`,
            isWatch: responseStream,
          },
          { ...options, onClose: () => leave() },
        )
        const leave = calls.add(call)
        return call
      },
    ],
  })
  const inference = inferenceService(services)
  const health = healthService(services)
  server.addService(inference.definition, inference.implementation)
  server.addService(health.definition, health.implementation)

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const listeners: NetServer[] = []
  const sockets = new Set<Socket>()

  return {
    createListener() {
      const listener = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        injector.injectConnection(socket)
      })
      listener.maxConnections = connections.maximum
      listeners.push(listener)
      return listener
    },

    async close() {
      for (const listener of listeners) listener.close()
      health.stopWatching()
      const sweep = setInterval(() => {
        for (const call of calls) if (call.awaitsClient) call.abandon()
        if (calls.size === 0) for (const socket of sockets) socket.destroy()
      }, SWEEP_MS)
      await new Promise<void>((done) => server.tryShutdown(() => done()))
      clearInterval(sweep)
      server.forceShutdown()
    },
  }
}
