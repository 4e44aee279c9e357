import type { handleUnaryCall, MethodDefinition, ServerUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { Clock } from '../../batching/clock.ts'
import type { CancelSignal } from '../../batching/job.ts'
import type { Services } from '../services.ts'
import { decodeMessage } from './decode.ts'
import { messageType } from './messages.ts'
import { statusOf } from './status.ts'

/** How long the client of a call waits. */
export interface Patience {
  /** On the services' clock (ms). */
  deadline: number
  signal: CancelSignal
}

/** Answers a request; both are plain objects of a message's fields. Throws ServeErrors. */
export type Answer = (request: never, patience: Patience) => object | Promise<object>

/**
 * The service of these unary methods. Messages of `<method>Request` and `<method>Response` cross grpc-js as bytes: what it
 * cannot decode itself it would call INTERNAL.
 */
export function unaryService(service: string, answers: Record<string, Answer>, services: Services) {
  const [scope] = service.split('.')
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {}
  const implementation: UntypedServiceImplementation = {}
  for (const [method, answer] of Object.entries(answers)) {
    const path = `/${service}/${method}`
    definition[method] = { path, requestStream: false, responseStream: false, ...BYTES }
    implementation[method] = handler(`${scope}.${method}`, answer, services)
  }
  return { definition, implementation }
}

/** Of a method whose messages are bytes to grpc-js. */
export const BYTES = {
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
}

function handler(name: string, answer: Answer, services: Services): handleUnaryCall<Buffer, Buffer> {
  const [request, response] = [messageType(`${name}Request`), messageType(`${name}Response`)]
  async function respond(call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> {
    const message = decodeMessage(request, call.request, services.limits)
    const answered = await answer(message as never, patience(call, services.clock))
    return response.encode(response.fromObject(answered)).finish() as Buffer
  }
  return (call, callback) => {
    respond(call).then(
      (bytes) => callback(null, bytes),
      (error) => callback(statusOf(error)),
    )
  }
}

function patience(call: ServerUnaryCall<Buffer, Buffer>, clock: Clock): Patience {
  const deadline = clock.now() + Number(call.getDeadline()) - Date.now()
  return { deadline, signal: new CallSignal(call) }
}

/** A class for the reason that ClientSignal is one. */
class CallSignal implements CancelSignal {
  readonly #call: ServerUnaryCall<Buffer, Buffer>

  constructor(call: ServerUnaryCall<Buffer, Buffer>) {
    this.#call = call
  }

  get aborted(): boolean {
    return this.#call.cancelled
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#call.once('cancelled', listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#call.off('cancelled', listener)
  }
}
