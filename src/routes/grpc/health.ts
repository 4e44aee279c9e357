import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js'
import { ServeError } from '../../errors.ts'
import type { Services } from '../services.ts'
import { decodeMessage } from './decode.ts'
import { INFERENCE_SERVICE } from './inference-service.ts'
import { messageType } from './messages.ts'
import { statusOf } from './status.ts'
import { BYTES } from './unary.ts'

export const HEALTH_SERVICE = 'grpc.health.v1.Health'

/** How often (ms) a watched status is looked at. */
const WATCH_MS = 500

const Request = messageType('grpc.health.v1.HealthCheckRequest')
const Response = messageType('grpc.health.v1.HealthCheckResponse')

/** `HealthCheckResponse.ServingStatus` */
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3]

/**
 * gRPC's health protocol, of the server as a whole (the empty name) and of the inference service. `Watch` answers at once
 * and at each change, until `stopWatching`.
 */
export function healthService(services: Services) {
  const watchers = new Set<() => void>()

  function statusFor(bytes: Buffer): number {
    const { service } = decodeMessage(Request, bytes, services.limits) as unknown as { service: string }
    if (service !== '' && service !== INFERENCE_SERVICE) return SERVICE_UNKNOWN as number
    return (services.readiness() === 'ready' ? SERVING : NOT_SERVING) as number
  }

  const check: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
    try {
      const status = statusFor(request)
      if (status === SERVICE_UNKNOWN) throw new ServeError('not_found', 'there is no such service')
      callback(null, encode(status))
    } catch (error) {
      callback(statusOf(error))
    }
  }

  const watch: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    let stopTimer = (): void => {}
    let told: number | undefined
    const end = (): void => {
      stopTimer()
      watchers.delete(stop)
    }
    const stop = (): void => {
      end()
      call.emit('error', statusOf(new ServeError('draining', 'the server is shutting down')))
    }
    const look = (): void => {
      const status = statusFor(call.request)
      if (status !== told) call.write(encode(status))
      told = status
      stopTimer = services.clock.after(WATCH_MS, look)
    }
    call.once('cancelled', end)
    watchers.add(stop)
    try {
      look()
    } catch (error) {
      end()
      call.emit('error', statusOf(error))
    }
  }

  return {
    definition: {
      Check: { path: `/${HEALTH_SERVICE}/Check`, requestStream: false, responseStream: false, ...BYTES },
      Watch: { path: `/${HEALTH_SERVICE}/Watch`, requestStream: false, responseStream: true, ...BYTES },
    },
    implementation: { Check: check, Watch: watch },
    stopWatching(): void {
      for (const stop of watchers) stop()
    },
  }
}

function encode(status: number): Buffer {
  return Response.encode({ status }).finish() as Buffer
}
