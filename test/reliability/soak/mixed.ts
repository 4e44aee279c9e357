import { setTimeout as sleep } from 'node:timers/promises'
import { Load, tally } from '../load.ts'
import { tensors } from './inputs.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

/** A queue, and all that could stand in for its bound, so large that they bound nothing. */
const UNBOUNDED = {
  MAX_QUEUE_SIZE: '1000000',
  REQUEST_TIMEOUT_MS: '3600000',
  MAX_CONNECTIONS: '1000000',
  MAX_PENDING_BYTES: String(2 ** 40),
  MAX_EVENT_LOOP_DELAY_MS: '0',
}

const form = (content: Buffer, end = '\r\n--b--\r\n'): Buffer =>
  Buffer.concat([
    Buffer.from('--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\n'),
    content,
    Buffer.from(end),
  ])

/** Good and bad, in turn: half of them want the engine. */
const KINDS: [contentType: string, body: () => Buffer][] = [
  ['application/octet-stream', () => tensors()],
  ['application/octet-stream', () => tensors().subarray(1)],
  ['application/octet-stream', () => tensors(4)],
  ['application/json', () => Buffer.from('{"inputs":[{"tensor":[[1,2],[3]]}]}')],
  ['application/octet-stream', () => tensors()],
  ['application/json', () => Buffer.from('[')],
  ['application/octet-stream', () => tensors()],
  ['multipart/form-data; boundary=b', () => form(Buffer.from('no picture'))],
  ['application/octet-stream', () => tensors()],
  ['multipart/form-data; boundary=b', () => form(Buffer.alloc(10_000), '')],
  ['application/octet-stream', () => tensors()],
  ['image/png', () => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(500)])],
]

/**
 * Many good and bad requests at twice what the engine can do, so that the queue is always full: memory and sockets stay.
 * With the queue unbounded they do not, which is how we know that this can fail.
 */
export async function mixed(requests: number, queue: 'bounded' | 'unbounded' = 'bounded'): Promise<Figure[]> {
  const server = await SoakServer.start('double', queue === 'unbounded' ? UNBOUNDED : {})
  const sockets = server.sockets
  const loads = KINDS.map(
    ([contentType, body]) => new Load({ url: `${server.url}/embed?include=logits`, contentType, body }),
  )
  const drive = async (count: number): Promise<void> => {
    const perSecond = 1000
    const durationMs = (count / perSecond) * 1000
    await Promise.all(loads.map((load) => load.rate(perSecond / loads.length, durationMs)))
  }
  const warmUp = Math.max(10_000, requests * 0.2)
  await drive(warmUp)
  const warm = server.rssMiB
  let peak = warm
  const watch = setInterval(() => {
    peak = Math.max(peak, server.rssMiB)
  }, 1000)
  await drive(requests - warmUp)
  clearInterval(watch)
  const end = server.rssMiB
  if (queue === 'bounded') await Promise.all(loads.map((load) => load.stop()))
  await sleep(500)
  const left = server.sockets - sockets
  const outcomes = loads.flatMap((load) => load.outcomes)
  console.log(`  ${JSON.stringify(tally(outcomes))}`)
  const wrong = outcomes.filter(({ status }) => status === 0 || status === 500 || status === 504).length
  await server.stop()
  return [
    { what: 'requests', value: outcomes.length, unit: '' },
    { what: 'memory after the warm-up', value: warm, unit: 'MiB' },
    { what: 'growth since, at the end', value: end - warm, unit: 'MiB', atMost: 50 },
    { what: 'growth since, at the most', value: peak - warm, unit: 'MiB' },
    { what: 'sockets more than before', value: left, unit: 'sockets', atMost: 0 },
    { what: 'answers that are the server’s fault', value: wrong, unit: 'requests', atMost: 0 },
  ]
}
