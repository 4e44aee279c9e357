import { describe, expect, it } from 'vitest'
import type { Priority } from '../../src/batching/job.ts'
import { ServeError } from '../../src/errors.ts'
import { DecodeQueue, type Gate, ThreadGate, TurnGate } from '../../src/preprocessing/decode-queue.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

const ANY: Gate = { mayStart: () => true, started: () => {}, ended: () => {} }

/** Pictures that are decoded when the test says so, called by name. */
function setUp(gate: Gate = new ThreadGate(1, 100)) {
  const clock = new FakeClock()
  const queue = new DecodeQueue<{ name: string }>(clock, gate)
  const running: { name: string; resolve: (result: { name: string }) => void; reject: (error: unknown) => void }[] = []
  const begun: string[] = []
  const submit = (
    names: string[],
    options: { deadline?: number; signal?: AbortSignal; priority?: Priority; pixels?: number } = {},
  ) => {
    const { pixels = 1, ...rest } = options
    const run = (name: string) => (): Promise<{ name: string }> => {
      begun.push(name)
      return new Promise((resolve, reject) => running.push({ name, resolve, reject }))
    }
    return queue.submit(
      names.map((name) => ({ pixels, run: run(name) })),
      rest,
    )
  }
  const finish = async (): Promise<void> => {
    const next = running.shift()
    next?.resolve({ name: next.name })
    await settle()
  }
  return { clock, queue, running, begun, submit, finish }
}

const codes = async (results: Promise<({ name: string } | ServeError)[]>) =>
  (await results).map((result) => (result instanceof ServeError ? result.code : result.name))

describe('DecodeQueue', () => {
  it('gives each picture its result, in order, and a failure to the one that failed', async () => {
    const { running, submit } = setUp(ANY)
    const results = submit(['a', 'b', 'c'])
    const [a, b, c] = running
    c?.resolve({ name: 'c' })
    b?.reject(new ServeError('undecodable_image', 'damaged'))
    a?.resolve({ name: 'a' })
    expect(await codes(results)).toEqual(['a', 'undecodable_image', 'c'])
  })

  it('takes one picture of each request in turn', async () => {
    const { begun, submit, finish } = setUp()
    void submit(['a1', 'a2', 'a3'])
    void submit(['b1'])
    for (let i = 0; i < 4; i++) await finish()
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3'])
  })

  it('takes normal requests first, but one picture in eight of low ones', async () => {
    const { begun, submit, finish } = setUp()
    void submit(['first'])
    void submit(['low1', 'low2'], { priority: 'low' })
    void submit(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
    for (let i = 0; i < 12; i++) await finish()
    expect(begun).toEqual(['first', '1', '2', '3', '4', '5', '6', '7', 'low1', '8', '9', 'low2'])
  })

  it('answers a request at its deadline, whatever is being decoded, and begins nothing more of it', async () => {
    const { clock, queue, begun, submit, finish } = setUp()
    void submit(['long'])
    const late = submit(['late1', 'late2'], { deadline: 20 })
    await clock.advance(20)
    expect(await codes(late)).toEqual(['deadline_exceeded', 'deadline_exceeded'])
    expect(queue.pending).toBe(1)
    await finish()
    expect(begun).toEqual(['long'])
  })

  it('forgets what a client that left had waiting, and keeps the others’ turns', async () => {
    const { queue, begun, submit, finish } = setUp()
    const leaving = new AbortController()
    const gone = submit(['gone1', 'gone2', 'gone3'], { signal: leaving.signal })
    const stays = submit(['stays'])
    leaving.abort()
    expect(await codes(gone)).toEqual(['canceled', 'canceled', 'canceled'])
    expect(queue.pending).toBe(2)
    await finish()
    await finish()
    expect(await codes(stays)).toEqual(['stays'])
    expect(begun).toEqual(['gone1', 'stays'])
    await expect(submit(['x'], { signal: leaving.signal })).rejects.toMatchObject({ code: 'canceled' })
  })

  it('decodes as many at once as there are threads', async () => {
    const { begun, submit, finish } = setUp(new ThreadGate(2, 100))
    void submit(['a', 'b', 'c'])
    expect(begun).toEqual(['a', 'b'])
    await finish()
    expect(begun).toEqual(['a', 'b', 'c'])
  })

  it('holds no more pixels at once than allowed, but for one picture alone', async () => {
    const { begun, submit, finish } = setUp(new ThreadGate(4, 100))
    void submit(['huge'], { pixels: 1000 })
    void submit(['a', 'b', 'c'], { pixels: 40 })
    expect(begun).toEqual(['huge'])
    await finish()
    expect(begun).toEqual(['huge', 'a', 'b'])
    await finish()
    expect(begun).toEqual(['huge', 'a', 'b', 'c'])
  })

  it('lets nobody pass a large picture whose turn it is, so that it is not held up for ever', async () => {
    const { begun, submit, finish } = setUp(new ThreadGate(4, 100))
    void submit(['a'], { pixels: 60 })
    void submit(['large'], { pixels: 90 })
    void submit(['small'], { pixels: 1 })
    expect(begun).toEqual(['a'])
    await finish()
    expect(begun).toEqual(['a', 'large', 'small'])
  })
})

describe('decoding on the event loop', () => {
  /** Pictures of 2 ms each. */
  function onTheSpot() {
    let now = 0
    const clock = { now: () => now, after: () => () => {} }
    const queue: DecodeQueue<{ name: string }> = new DecodeQueue(clock, new TurnGate(clock, () => queue.start()))
    const begun: string[] = []
    const submit = (names: string[]) =>
      queue.submit(
        names.map((name) => ({
          pixels: 1,
          run: () => {
            begun.push(name)
            now += 2
            return { name }
          },
        })),
        {},
      )
    return { begun, submit }
  }

  it('stops after 5 ms of a turn, whoever asks, and goes on in the next one', async () => {
    const { begun, submit } = onTheSpot()
    const all = Promise.all([submit(['a1', 'a2', 'a3', 'a4', 'a5']), submit(['b1'])])
    await settle()
    expect(begun).toEqual(['a1', 'a2', 'a3'])
    await new Promise((turn) => setImmediate(turn))
    expect(begun).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'a5'])
    expect((await all).flat().map((result) => (result as { name: string }).name)).toEqual([
      'a1',
      'a2',
      'a3',
      'a4',
      'a5',
      'b1',
    ])
  })
})
