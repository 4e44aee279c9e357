import { Connection } from './connection.ts'

/** The load ends after so many lost connections, so that a dead server is not asked without end. */
const MAX_LOST = 100

export interface ClientsOptions {
  url: URL
  /** What each client sends, in turn: one list per client, none empty. */
  requests: Buffer[][]
  onAnswer: (client: number, status: number) => void
  /** A connection was lost and reopened; `inFlight` if a request was lost with it. */
  onLost: (client: number, reason: string, inFlight: boolean) => void
  /** Too many were lost; nothing more is sent. */
  onGivenUp: () => void
}

/** Clients with a connection and requests of their own, each with at most one request in flight. */
export class Clients {
  readonly #options: ClientsOptions
  readonly #connections: Connection[]
  readonly #next: number[]
  readonly #busy: boolean[]
  #lost = 0

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#next = options.requests.map(() => 0)
    this.#busy = options.requests.map(() => false)
    this.#connections = options.requests.map((_, client) => this.#open(client))
  }

  send(client: number): void {
    const requests = this.#options.requests[client] as Buffer[]
    const turn = this.#next[client] as number
    this.#next[client] = (turn + 1) % requests.length
    this.#busy[client] = true
    this.#connections[client]?.send(requests[turn] as Buffer)
  }

  get busy(): number {
    return this.#busy.reduce((count, busy) => count + Number(busy), 0)
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  #open(client: number): Connection {
    return new Connection(this.#options.url, {
      onAnswer: (status) => {
        this.#busy[client] = false
        this.#options.onAnswer(client, status)
      },
      onLost: (reason) => {
        const inFlight = this.#busy[client] as boolean
        this.#busy[client] = false
        this.#lost++
        if (this.#lost > MAX_LOST) return this.#options.onGivenUp()
        this.#connections[client] = this.#open(client)
        this.#options.onLost(client, reason, inFlight)
      },
    })
  }
}
