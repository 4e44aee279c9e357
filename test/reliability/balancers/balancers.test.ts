import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { drawDigit } from '../../helpers/drawn-digits.ts'
import { Load, type Outcome, percentileMs, tally } from '../load.ts'
import { BALANCERS, Balancer, type BalancerName, isInstalled } from './balancer.ts'
import { Replica } from './replica.ts'

const FIXTURE = resolve(import.meta.dirname, '../../fixtures/parity/resnet18-projection')
const SMALL = 3000
const CLIENTS = 30
const [BALANCER_PORT, ...REPLICA_PORTS] = [18500, 18501, 18502, 18503] as const

let repository: string
let replicas: Replica[]

beforeAll(async () => {
  repository = mkdtempSync(join(tmpdir(), 'repository-'))
  mkdirSync(join(repository, 'resnet18-projection'))
  symlinkSync(FIXTURE, join(repository, 'resnet18-projection', '1'))
  replicas = REPLICA_PORTS.map((port) => {
    const small = { MODEL_REPOSITORY: repository, ENGINE: 'onnx', ENGINE_THREADS: '1' }
    // As in the image, but shorter: HAProxy notices within a second.
    // nginx does not probe, so a replica must not be reached before it is ready.
    return new Replica(port, { ...small, DRAIN_DELAY_MS: '2000', LISTEN_WHEN: 'ready' })
  })
  await Promise.all(replicas.map((replica) => replica.start()))
})

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.end('SIGKILL')))
  rmSync(repository, { recursive: true })
})

/** A picture behind blanks that a form may begin with: large to carry, and light to answer. */
async function form(bytes: number, ink: number): Promise<Buffer> {
  const picture = await drawDigit(7, { size: 28, pen: 0.05, paper: 0, ink })
  const head = Buffer.from('\r\n--b\r\ncontent-disposition: form-data; name="f"; filename="f.png"\r\n\r\n')
  const end = Buffer.from('\r\n--b--\r\n')
  const blanks = Buffer.alloc(Math.max(0, bytes - head.length - picture.length - end.length), ' ')
  return Buffer.concat([blanks, head, picture, end])
}

const failed = (outcomes: Outcome[]): Record<string, number> => tally(outcomes.filter(({ status }) => status !== 200))

describe.each(Object.keys(BALANCERS) as BalancerName[])('three replicas behind %s, as it is shipped', (name) => {
  let balancer: Balancer
  let load: Load

  const drive = async (bytes: number): Promise<Load> => {
    // Different for all clients, since identical ones in flight would be computed once.
    const bodies = await Promise.all(Array.from({ length: 2 * CLIENTS }, (_, i) => form(bytes, 255 - i)))
    let sent = 0
    load = new Load({
      url: `${balancer.url}/classify?include=top`,
      contentType: 'multipart/form-data; boundary=b',
      body: () => bodies[sent++ % bodies.length] as Buffer,
    })
    return load
  }

  beforeAll(async () => {
    if (!isInstalled(name)) throw new Error(`${name} is not installed; on Debian: apt-get install nginx-light haproxy`)
    balancer = await Balancer.start(name, BALANCER_PORT, replicas)
  })
  afterEach(() => load?.stop())
  afterAll(() => balancer?.stop())

  it.each([
    ['100 KB', 100_000],
    ['1 MB', 1_048_576],
  ])('kill -9 of one under 30 clients that send %s fails no request', async (_size, bytes) => {
    const [, victim] = replicas
    const { outcomes } = await drive(bytes)
    load.clients(CLIENTS)
    await sleep(1500)
    const before = outcomes.length
    await victim?.end('SIGKILL')
    await sleep(2000)
    await load.stop()
    await victim?.start()
    console.log(`${name}, ${bytes} bytes: ${before} answers before the kill, ${outcomes.length - before} after`)
    expect(failed(outcomes)).toEqual({})
    expect(before).toBeGreaterThan(CLIENTS)
    expect(outcomes.length - before).toBeGreaterThan(CLIENTS)
  })

  it('a rolling restart of all three fails no request at 70 % of what they answer during one', async () => {
    // A start takes cores that replicas here share, and a machine's best seconds are no measure of the others.
    const saturated = await drive(SMALL)
    saturated.clients(CLIENTS)
    const began = performance.now()
    await replicas[0]?.restart()
    const seconds = (performance.now() - began) / 1000
    await saturated.stop()
    const saturation = saturated.outcomes.length / seconds
    const { outcomes } = await drive(SMALL)
    const sending = load.rate(0.7 * saturation, 120_000)
    for (const replica of replicas) await replica.restart()
    await sleep(500)
    await load.stop()
    await sending
    const p99 = percentileMs(outcomes, 0.99)
    console.log(
      `${name}: ${saturation.toFixed(0)}/s at saturation; ${outcomes.length} at 70 %, p99 ${p99.toFixed(0)} ms`,
    )
    expect(failed(outcomes)).toEqual({})
    expect(outcomes.length).toBeGreaterThan(100)
  })

  it('one that hangs is out of rotation within 3 s', async () => {
    const [, , hanging] = replicas
    const { outcomes } = await drive(SMALL)
    load.clients(CLIENTS)
    await sleep(1000)
    hanging?.signal('SIGSTOP')
    const stoppedAt = performance.now()
    await sleep(3000)
    const seconds = 5
    await sleep(seconds * 1000)
    const observedUntil = performance.now()
    hanging?.signal('SIGCONT')
    await load.stop()
    const later = outcomes.filter(({ startedAt }) => startedAt > stoppedAt + 3000 && startedAt < observedUntil)
    const slow = later.filter(({ ms }) => ms > 1500)
    console.log(`${name}: ${later.length} requests begun after 3 s, ${slow.length} of them over 1.5 s`)
    expect(failed(outcomes)).toEqual({})
    expect(later.length).toBeGreaterThan(CLIENTS)
    // nginx, which cannot probe, tries it with one request a second.
    expect(slow.length).toBeLessThanOrEqual(name === 'nginx' ? seconds : 0)
  })
})
