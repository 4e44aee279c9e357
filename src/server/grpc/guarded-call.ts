import type { ServerHttp2Stream } from 'node:http2'
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js'
import type { FastifyBaseLogger } from 'fastify'
import { ServeError } from '../../errors.ts'
import { codeOf, ofGrpcJs, type Status, statusOf } from '../../routes/grpc/status.ts'
import type { Services } from '../../routes/services.ts'
import { type ApiKey, authenticate } from '../api-keys.ts'
import type { BodyBudget, BodyMeter } from '../body-budget.ts'
import { REQUEST_LINE } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { withoutModels } from '../plugins/admission.ts'
import { requestId } from '../plugins/request-context.ts'

/** How long (ms) a client may take to read its answer, and to end a call that was refused. */
const UNREAD_GRACE_MS = 5000
/** Answers up to this length (bytes) are not counted: refusals must get through. */
const SMALL_ANSWER = 4096
/** The first byte of a compressed message. */
const COMPRESSED = 1

export interface CallOptions {
  services: Services
  metrics: Metrics
  budget: BodyBudget
  /** Empty: no key is needed. */
  apiKeys: ApiKey[]
  logger: FastifyBaseLogger
  /** Called when nothing of the call is left. */
  onClose?: () => void
}

export interface MethodTraits {
  path: string
  /** Needs no key. */
  isOpen: boolean
  /** Asks a model. */
  isInference: boolean
  /** Answers as long as the client listens: it has no deadline of ours. */
  isWatch: boolean
}

/** grpc-js has no other way to a call's bytes. A test fails should this change. */
interface Internals {
  stream: ServerHttp2Stream
}

type Listener = Parameters<ServerInterceptingCall['start']>[0]

/**
 * A call with all that server/plugins do for HTTP: its bytes are counted as they come, a key is asked for, it has a
 * deadline, and at its end it is logged and counted. Every status goes through here, those of grpc-js itself too, which
 * would blame the server for a message that it cannot read.
 */
export class GuardedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface
  readonly #stream: ServerHttp2Stream
  readonly #method: MethodTraits
  readonly #options: CallOptions
  readonly #arrivedAt: number
  readonly #deadline: number
  #id = ''
  /** The name of the key that it carries; undefined where none is needed. */
  #apiKey: string | undefined
  #meter: BodyMeter | undefined
  #sent: Status | undefined
  #stopTimer = (): void => {}

  constructor(call: ServerInterceptingCallInterface, method: MethodTraits, options: CallOptions) {
    super(call)
    this.#call = call
    this.#stream = (call as unknown as Internals).stream
    this.#method = method
    this.#options = options
    const { clock, limits } = options.services
    this.#arrivedAt = clock.now()
    this.#deadline = Date.now() + (method.isWatch ? Number.POSITIVE_INFINITY : limits.requestTimeoutMs)
    const send = call.sendStatus.bind(call)
    call.sendStatus = (sent) => this.#end(sent as Status, send)
    this.#stream.once('close', () => this.#close())
    this.#meterBytes()
    if (method.isWatch) return
    this.#stopTimer = clock.after(limits.requestTimeoutMs, () => {
      this.#fail(new ServeError('deadline_exceeded', 'the deadline passed'))
    })
  }

  override start(listener: Listener): void {
    super.start({
      ...listener,
      onReceiveMetadata: (metadata) => {
        this.#id = requestId({ headers: { 'x-request-id': text(metadata, 'x-request-id') } })
        const refused = this.#refusal(metadata)
        if (refused !== undefined) this.#fail(refused)
        else if (this.#sent === undefined) listener.onReceiveMetadata(metadata)
      },
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        if (this.#sent === undefined) listener.onReceiveHalfClose()
      },
      onCancel: () => listener.onCancel(),
    })
  }

  override sendMessage(message: Buffer, callback: () => void): void {
    try {
      if (message.length > SMALL_ANSWER) this.#meter?.charge(message.length)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.sendMetadata(ACCEPTED)
    super.sendMessage(message, callback)
  }

  override getDeadline(): number {
    return Math.min(Number(super.getDeadline()), this.#deadline)
  }

  /** Whether the rest of the request is to come, or the answer is to be read. */
  get awaitsClient(): boolean {
    return this.#sent !== undefined || !this.#stream.readableEnded
  }

  /** Ends the call without waiting for its client. */
  abandon(): void {
    this.#fail(new ServeError('draining', 'the server is shutting down'))
    this.#stream.close()
  }

  /** Before anything of the request's message is read. */
  #refusal(metadata: Metadata): ServeError | undefined {
    const { isOpen, isInference } = this.#method
    const { apiKeys, services } = this.#options
    if (!isOpen && apiKeys.length > 0) {
      this.#apiKey = authenticate(apiKeys, text(metadata, 'authorization'))
      if (this.#apiKey === undefined) {
        return new ServeError('unauthorized', 'send the metadata authorization: Bearer <API key>')
      }
    }
    return isInference ? withoutModels(services) : undefined
  }

  /** Ahead of grpc-js, so that what is refused is not kept. */
  #meterBytes(): void {
    const { budget, services } = this.#options
    let isFirst = true
    this.#stream.prependListener('data', (bytes: Buffer) => {
      if (this.#sent !== undefined) return
      try {
        if (isFirst && bytes[0] === COMPRESSED) {
          throw new ServeError('unsupported_content_encoding', 'send messages without compression')
        }
        isFirst = false
        const now = services.clock.now()
        this.#meter ??= budget.open(this.#call.getConnectionInfo().remoteAddress ?? '', 0, now)
        this.#meter.count(bytes.length, now)
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  #fail(error: unknown): void {
    this.#call.sendStatus(statusOf(error))
  }

  #end(sent: Status, send: (status: Status) => void): void {
    if (this.#sent !== undefined || this.#stream.destroyed) return
    this.#sent = sent.code === status.OK || codeOf(sent) !== undefined ? sent : ofGrpcJs(sent)
    const metadata = this.#sent.metadata ?? new Metadata()
    metadata.set('x-request-id', this.#id)
    send({ ...this.#sent, metadata })
    this.#stopTimer()
    this.#stopTimer = this.#options.services.clock.after(UNREAD_GRACE_MS, () => this.#stream.close())
  }

  #close(): void {
    this.#stopTimer()
    this.#meter?.close()
    this.#options.onClose?.()
    const { path, isInference } = this.#method
    const { metrics, logger, services } = this.#options
    const code = this.#sent === undefined ? 'canceled' : codeOf(this.#sent)
    const name = status[this.#sent?.code ?? status.CANCELLED] as string
    const durationMs = services.clock.now() - this.#arrivedAt
    metrics.observeCall(path, name, durationMs / 1000, code, isInference)
    if (this.#apiKey !== undefined) metrics.observeKey(this.#apiKey)
    const line = { method: 'gRPC', route: path, status: name, duration_ms: Number(durationMs.toFixed(2)), code }
    logger.info({ reqId: this.#id, ...line, api_key: this.#apiKey }, REQUEST_LINE)
  }
}

/** grpc-js would say that it takes compressed messages. */
const ACCEPTED = new Metadata()
ACCEPTED.set('grpc-accept-encoding', 'identity')

function text(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key)
  return typeof value === 'string' ? value : undefined
}
