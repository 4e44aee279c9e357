import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

const TYPE_A = 1

/** A name server of one's own (RFC 1035): it says of each name what `addresses` has, IPv4 alone, and that the others do not exist. */
export class NameServer {
  readonly addresses = new Map<string, string[]>()
  readonly #socket: Socket = createSocket('udp4')

  async listen(): Promise<number> {
    this.#socket.on('message', (query, { address, port }) => this.#socket.send(this.#answer(query), port, address))
    this.#socket.bind(0, '127.0.0.1')
    await once(this.#socket, 'listening')
    return this.#socket.address().port
  }

  close(): void {
    this.#socket.close()
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const found = this.addresses.get(labels.join('.'))
    const told = query.readUInt16BE(at + 1) === TYPE_A ? (found ?? []) : []
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    // An answer, recursion asked for and available; code 3 is an unknown name.
    header.writeUInt16BE(found ? 0x8180 : 0x8183, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(told.length, 6)
    // The question's name, type A, class IN, for one second, four bytes.
    const records = told.map((ip) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...ip.split('.').map(Number)]),
    )
    return Buffer.concat([header, question, ...records])
  }
}
