import { describe, expect, it } from 'vitest'
import { EnginePool, type EnginePoolOptions, offer } from '../../src/workers/pool.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { DOUBLE, eventually, isAlive, stopAfterTest } from './processes.ts'

const { entry } = smallFixture()

function create(options: Partial<EnginePoolOptions> = {}) {
  const clock = new FakeClock()
  const log: string[] = []
  const fatal: string[] = []
  const readyCounts: number[] = []
  const pool: EnginePool = new EnginePool({
    engine: 'auto',
    options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' },
    devices: [],
    processes: 1,
    heartbeatTimeoutMs: 1_000_000,
    batchTimeoutMs: 1_000_000,
    allowedBatchSizes: [1],
    clock,
    log: (level, message) => log.push(`${level} ${message}`),
    onFatal: (reason) => fatal.push(reason),
    entry: DOUBLE,
    ...options,
  })
  pool.onOfferChange = () => readyCounts.push(pool.ready)
  const run = (key = 'a') => pool.run(key, { inputs: [Float32Array.of(1)], batchSize: 1 })
  return { pool: stopAfterTest(pool), clock, log, fatal, readyCounts, run }
}

/** Ends the process of that device as the kernel would. */
async function kill(pool: EnginePool, index: number): Promise<void> {
  const pid = pool.members[index]?.pid as number
  process.kill(pid, 'SIGKILL')
  await eventually(() => expect(isAlive(pid)).toBe(false))
}

describe('EnginePool', () => {
  it('has one process on an engine without a GPU', async () => {
    const { pool, run } = create()
    expect(await pool.start()).toMatchObject({ engine: 'wasm' })
    await pool.load('a', entry)
    expect([pool.members.length, pool.ready, pool.state]).toEqual([1, 1, 'ready'])
    expect((await run()).logits[0]).toBe(2)
  })

  it('has as many processes as share the CPU, each of which computes a batch at once', async () => {
    const { pool, run } = create({ processes: 3 })
    await pool.start()
    expect(new Set(pool.members.map(({ pid }) => pid)).size).toBe(3)
    expect(pool.ready).toBe(3)
    expect(pool.info?.details).toMatchObject({ processes: 3 })
    expect(await pool.load('a', entry)).toMatchObject({ precisionReason: '0 of 3' })
    const answers = await Promise.all([run(), run(), run()])
    expect(answers.map(({ logits }) => logits[0])).toEqual([2, 2, 2])
  })

  it('gives a batch that is alone to the first process, and tells those that are not that the threads are shared', async () => {
    const { pool, run } = create({ processes: 2 })
    await pool.start()
    await pool.load('a', entry)
    await pool.load('who', entry)
    const [first, second] = pool.members.map(({ pid }) => pid)
    const who = async () => [...(await run('who')).logits]
    expect(await who()).toEqual([first, 0])
    expect(await Promise.all([who(), who(), who()])).toEqual([
      [first, 0],
      [second, 1],
      [first, 1],
    ])
    expect(await who()).toEqual([first, 0])
  })

  it('does not call the threads shared while the other process restarts', async () => {
    const { pool, run } = create({ processes: 2 })
    await pool.start()
    await pool.load('a', entry)
    await pool.load('who', entry)
    await kill(pool, 0)
    await eventually(() => expect(pool.ready).toBe(1))
    const answers = await Promise.all([run('who'), run('who')])
    expect(answers.map(({ logits }) => logits[1])).toEqual([0, 0])
  })

  it('offers further processes of onnx only when more waits, since the first can take all threads', async () => {
    const options = { threads: 2, precision: 'auto', tensorflowDir: '/auto/is/onnx' } as const
    const { pool, run } = create({ processes: 2, options })
    expect(await pool.start()).toMatchObject({ engine: 'onnx' })
    await pool.load('a', entry)
    const offers = () => [pool.offer(1, 8), pool.offer(2, 8)]
    expect(offers()).toEqual(['compute', 'compute'])
    const first = run()
    expect(offers()).toEqual([undefined, 'compute'])
    const second = run()
    expect(offers()).toEqual([undefined, 'ahead'])
    await Promise.all([first, second])
    expect(offers()).toEqual(['compute', 'compute'])
  })

  it('has one process of native TensorFlow, which has threads of its own', async () => {
    const { pool } = create({ engine: 'tensorflow', processes: 2 })
    await pool.start()
    expect([pool.members.length, pool.ready]).toEqual([1, 1])
  })

  it('has one process per GPU, each of which sees its own alone', async () => {
    const { pool, run } = create({ devices: ['0', '3', 'GPU-abc'] })
    expect(await pool.start()).toMatchObject({ engine: 'cuda', details: { device: '0' } })
    expect(pool.members.map(({ info }) => info?.details.device)).toEqual(['0', '3', 'GPU-abc'])
    expect(new Set(pool.members.map(({ pid }) => pid)).size).toBe(3)
    await pool.load('a', entry)
    const answers = await Promise.all([run(), run(), run()])
    expect(answers.map(({ logits }) => logits[0])).toEqual([2, 2, 2])
    expect(pool.ready).toBe(3)
  })

  it('gives a batch to the process that is least busy', async () => {
    const { pool, run } = create({ devices: ['0', '1'] })
    await pool.start()
    await pool.load('a', entry)
    await pool.load('hangs', entry)
    const hanging = run('hangs').catch((error) => error)
    expect((await run()).logits[0]).toBe(2)
    expect((await run()).logits[0]).toBe(2)
    await pool.stop()
    expect(await hanging).toMatchObject({ code: 'engine_unavailable' })
  })

  it('goes on with the other GPUs while one restarts', async () => {
    const { pool, clock, readyCounts, run } = create({ devices: ['0', '1'] })
    await pool.start()
    await pool.load('a', entry)
    await kill(pool, 0)
    await eventually(() => expect(pool.ready).toBe(1))
    expect(pool.state).toBe('ready')
    expect((await run()).logits[0]).toBe(2)
    await clock.advance(100)
    await eventually(() => expect(pool.ready).toBe(2))
    expect(pool.restarts).toBe(1)
    expect(readyCounts.slice(-2)).toEqual([1, 2])
  })

  it('is fatal only when every process has been given up', async () => {
    const { pool, clock, fatal, log } = create({ devices: ['0', '1'] })
    await pool.start()
    for (const index of [0, 1]) {
      for (let ended = 1; ended <= 7; ended++) {
        await kill(pool, index)
        await eventually(() => expect(pool.members[index]?.state).not.toBe('ready'))
        await clock.advance(10_000)
        if (ended < 7) await eventually(() => expect(pool.members[index]?.state).toBe('ready'))
      }
      if (index === 0) {
        expect(fatal).toEqual([])
        expect(log.at(-1)).toMatch(/^error GPU 0: the engine failed 7 times in a row.*the others go on$/)
      }
    }
    expect(fatal).toHaveLength(1)
    expect(fatal[0]).toMatch(/^GPU 1: the engine failed 7 times in a row/)
    expect([pool.state, pool.ready]).toEqual(['failed', 0])
  })

  it('does not start when one of the GPUs cannot be opened, and leaves no process behind', async () => {
    const { pool } = create({ devices: ['0', 'broken'] })
    await expect(pool.start()).rejects.toThrow('no such GPU')
    const pids = pool.members.map(({ pid }) => pid)
    await pool.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  it('replaces its processes one after the other, while the others serve', async () => {
    const { pool, run } = create({ processes: 2 })
    await pool.start()
    await pool.load('a', entry)
    const before = pool.members.map(({ pid }) => pid)
    const keep = new Set(['a', 'b'])
    const counts: number[] = []
    const watching = setInterval(() => counts.push(pool.members.filter(({ pid }) => !before.includes(pid)).length), 5)
    await pool.replace(new Map([...keep].map((key) => [key, entry])), { wanted: 'b', keep })
    clearInterval(watching)
    expect([...new Set(counts)].sort()).toEqual([0, 1])
    expect(pool.members.some(({ pid }) => before.includes(pid))).toBe(false)
    expect((await Promise.all([run('a'), run('b')])).map(({ logits }) => logits[0])).toEqual([2, 2])
    await eventually(() => expect(before.filter(isAlive)).toEqual([]))
  })

  it('gives a batch to a process that has its model', async () => {
    const { pool, run } = create({ processes: 2 })
    await pool.start()
    const folder = temporaryFolder()
    await pool.load('a', entry)
    // The second process cannot load it any more.
    const models = new Map([
      ['a', entry],
      ['loads once', { ...entry, directory: folder }],
    ])
    await expect(pool.replace(models, { wanted: 'loads once', keep: new Set(['a']) })).rejects.toThrow('exit code 7')
    const answers = await Promise.all([run('loads once'), run('loads once'), run('a'), run('a')])
    expect(answers.map(({ logits }) => logits[0])).toEqual([2, 2, 2, 2])
  })

  it('is stopped before it starts, and refuses', async () => {
    const { pool, run } = create()
    expect([pool.state, pool.ready, pool.info]).toEqual(['stopped', 0, undefined])
    await expect(run()).rejects.toThrow('run before start')
  })
})

describe('offer', () => {
  const idle = { batches: 0, inputs: 0 }
  const busy = { batches: 1, inputs: 8 }
  const full = { batches: 2, inputs: 16 }
  const small = { batches: 1, inputs: 1 }

  it.each([
    ['no process that computes', [], 99, undefined, undefined],
    ['an idle process', [idle], 1, 'compute', 'compute'],
    ['a busy process, and as many waiting as it computes', [busy], 8, 'ahead', 'ahead'],
    ['a busy process, and fewer waiting than it computes', [busy], 7, undefined, undefined],
    ['a process with a small batch, and a quarter of a batch waiting', [small], 4, 'ahead', 'ahead'],
    ['a process with a small batch, and less than a quarter waiting', [small], 3, undefined, undefined],
    ['a process with a batch that waits there already', [full], 99, undefined, undefined],
    ['a second process that is idle, and much waiting', [busy, idle], 8, 'compute', 'compute'],
    ['a second process that is idle, and little waiting', [busy, idle], 7, 'compute', undefined],
    ['a first process that is idle', [idle, busy], 1, 'compute', 'compute'],
    ['two busy processes, and as many waiting as each computes', [busy, busy], 8, 'ahead', 'ahead'],
    ['one of two processes with nothing behind its batch', [full, busy], 8, 'ahead', 'ahead'],
    ['two processes with a batch that waits there already', [full, full], 99, undefined, undefined],
  ] as const)('to %s', (_, ready, waiting, always, whereTheFirstTakesAllThreads) => {
    expect(offer(ready, waiting, { takesAllThreads: false, maxBatchSize: 16 })).toBe(always)
    expect(offer(ready, waiting, { takesAllThreads: true, maxBatchSize: 16 })).toBe(whereTheFirstTakesAllThreads)
  })

  it.each([
    ['a quarter of its own batches, not of the largest of all', [small], 1, 'ahead'],
    ['a full batch, though others run that are larger than any of its own', [busy], 4, 'ahead'],
    ['less than a full batch while larger ones run', [busy], 3, undefined],
  ] as const)('to a model with batches of up to 4 that has %s waiting', (_, ready, waiting, expected) => {
    expect(offer(ready, waiting, { takesAllThreads: true, maxBatchSize: 4 })).toBe(expected)
  })
})
