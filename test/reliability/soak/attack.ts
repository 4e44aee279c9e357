import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { chunk, pixelChunk, writePng } from '../../helpers/png.ts'
import { TENSORS, tensors } from './inputs.ts'

/** What one client does to all others. Resolves when it has done its worst. */
interface Attack {
  says: string
  run: (port: number) => Promise<void>
  /** Memory (MiB) that the server may take for it, above what it had. */
  maxGrowth: number
}

const CRLF = '\r\n'
const head = (path: string, type: string, length: number): string =>
  [`POST ${path} HTTP/1.1`, 'host: x', `content-type: ${type}`, `content-length: ${length}`, CRLF].join(CRLF)

async function open(port: number, ...parts: (string | Buffer)[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  for (const part of parts) socket.write(part)
  return socket
}

/** Opens connections that send all this, waits so long, and leaves. */
async function leaveAfter(ms: number, count: number, make: () => Promise<Socket>): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, make))
  await sleep(ms)
  for (const socket of sockets) socket.destroy()
}

/** A flat picture: `bits` for each pixel. */
const flat = (side: number, depth: number, colourType: number, bits: number, interlace = 0): Buffer =>
  writePng({ width: side, height: side, depth, colourType, interlace }, [
    pixelChunk(Buffer.alloc(side * (1 + Math.ceil((side * bits) / 8)))),
  ])

function form(pictures: Buffer[]): Buffer {
  const parts = pictures.flatMap((picture) => [
    Buffer.from('--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\n'),
    picture,
    Buffer.from(CRLF),
  ])
  return Buffer.concat([...parts, Buffer.from('--b--\r\n')])
}

const FORM = 'multipart/form-data; boundary=b'
const post = (port: number, type: string, body: Buffer) => open(port, head('/classify', type, body.length), body)

export const ATTACKS: Record<string, () => Attack> = {
  abandon: () => ({
    says: '700 requests, then 200 of 256 equal tensors whose clients leave',
    maxGrowth: 400,
    async run(port) {
      const equal = Buffer.concat(new Array(256).fill(tensors()))
      const small = leaveAfter(2000, 700, () => post(port, TENSORS, tensors()))
      await leaveAfter(300, 200, () => post(port, TENSORS, equal))
      await small
    },
  }),
  'small-pngs': () => ({
    says: '20 forms of 256 small PNGs, and one PNG of 1.4 million empty chunks',
    maxGrowth: 300,
    async run(port) {
      const body = form(new Array(256).fill(flat(112, 8, 6, 32)))
      const many = writePng({ width: 28, height: 28 }, new Array(1_390_000).fill(chunk('IDAT', Buffer.alloc(0))))
      await leaveAfter(4000, 20, () => post(port, FORM, body))
      await leaveAfter(2000, 1, () => post(port, 'image/png', many))
    },
  }),
  decoding: () => ({
    says: '40 forms of four pictures of 49 million pixels whose clients leave, and 120 of 16 MiB',
    maxGrowth: 900,
    async run(port) {
      const huge = form(new Array(4).fill(flat(7000, 1, 0, 1)))
      const heavy = Buffer.alloc(16_000_000)
      flat(7000, 1, 0, 1).copy(heavy)
      await leaveAfter(500, 40, () => post(port, FORM, huge))
      await leaveAfter(1000, 120, () => post(port, 'image/png', heavy))
    },
  }),
  announced: () => ({
    says: '32 connections that announce 16 MiB and send nothing',
    maxGrowth: 100,
    run: (port) => leaveAfter(6000, 32, () => open(port, head('/classify', 'image/png', 16 * 2 ** 20))),
  }),
  interlaced: () => ({
    says: 'four interlaced PNGs of 16 bits a channel and 50 million pixels',
    maxGrowth: 900,
    async run(port) {
      const picture = flat(7070, 16, 6, 64, 1)
      await leaveAfter(6000, 4, () => post(port, 'image/png', picture))
    },
  }),
  'malformed-urls': () => ({
    says: '20 connections with 64 KiB of requests for paths that cannot be decoded',
    maxGrowth: 200,
    run(port) {
      const line = 'GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n'
      return leaveAfter(3000, 20, () => open(port, line.repeat(Math.floor(65_536 / line.length))))
    },
  }),
  unread: () => ({
    says: '200 connections with 128 long requests each, and 400 that read no answer',
    maxGrowth: 300,
    async run(port) {
      const long = `GET /livez HTTP/1.1\r\nhost: x\r\na: ${'a'.repeat(15_000)}\r\n\r\n`
      await leaveAfter(2000, 200, () => open(port, head('/classify', TENSORS, 3136), tensors(), long.repeat(127)))
      const asks = 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100)
      await leaveAfter(3000, 400, async () => (await open(port, asks)).pause())
    },
  }),
}

const [name, port] = process.argv.slice(2)
/** A process of its own: what it takes to attack must not be taken for what the server takes to answer. */
if (process.send && name !== undefined) {
  await ATTACKS[name]?.().run(Number(port))
  process.exit(0)
}
