import { describe, expect, it } from 'vitest'
import { EnginePool, type EnginePoolOptions } from '../../../src/model/engines/engine-pool.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { smallFixture } from '../parity-fixtures.ts'
import { DOUBLE, eventually, isAlive, stopAfterTest } from './processes.ts'

const { entry } = smallFixture()

function create(options: Partial<EnginePoolOptions> = {}) {
  const clock = new FakeClock()
  const log: string[] = []
  const fatal: string[] = []
  const capacities: number[] = []
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
    onCapacityChange: () => capacities.push(pool.capacity),
    onFatal: (reason) => fatal.push(reason),
    entry: DOUBLE,
    ...options,
  })
  const run = (key = 'a') => pool.run(key, Float32Array.of(1), 1)
  return { pool: stopAfterTest(pool), clock, log, fatal, capacities, run }
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
    expect([pool.members.length, pool.capacity, pool.state]).toEqual([1, 1, 'ready'])
    expect((await run()).logits[0]).toBe(2)
  })

  it('has as many processes as share the CPU, each of which computes a batch at once', async () => {
    const { pool, run } = create({ processes: 3 })
    await pool.start()
    expect(new Set(pool.members.map(({ pid }) => pid)).size).toBe(3)
    expect(pool.capacity).toBe(3)
    expect(pool.info?.details).toMatchObject({ processes: 3 })
    expect(await pool.load('a', entry)).toMatchObject({ precisionReason: '0 of 3' })
    const answers = await Promise.all([run(), run(), run()])
    expect(answers.map(({ logits }) => logits[0])).toEqual([2, 2, 2])
  })

  it('gives a batch that is alone to the first process, and tells those that are not that the threads are shared', async () => {
    const { pool, run } = create({ processes: 2 })
    await pool.start()
    await pool.load('a', entry)
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
    await kill(pool, 0)
    await eventually(() => expect(pool.capacity).toBe(1))
    const answers = await Promise.all([run('who'), run('who')])
    expect(answers.map(({ logits }) => logits[1])).toEqual([0, 0])
  })

  it('counts a further process of onnx only while it is busy, since the first can take all threads', async () => {
    const { pool, run } = create({
      processes: 2,
      options: { threads: 2, precision: 'auto', tensorflowDir: '/auto/is/onnx' },
    })
    expect(await pool.start()).toMatchObject({ engine: 'onnx' })
    await pool.load('a', entry)
    expect(pool.capacity).toBe(1)
    const first = run()
    expect(pool.capacity).toBe(1)
    const second = run()
    expect(pool.capacity).toBe(2)
    await first
    await second
    expect(pool.capacity).toBe(1)
    await kill(pool, 0)
    await eventually(() => expect(pool.members[0]?.state).not.toBe('ready'))
    expect(pool.capacity).toBe(1)
  })

  it('has one process of native TensorFlow, which has threads of its own', async () => {
    const { pool } = create({ engine: 'tensorflow', processes: 2 })
    await pool.start()
    expect([pool.members.length, pool.capacity]).toEqual([1, 1])
  })

  it('has one process per GPU, each of which sees its own alone', async () => {
    const { pool, run } = create({ devices: ['0', '3', 'GPU-abc'] })
    expect(await pool.start()).toMatchObject({ engine: 'cuda', details: { device: '0' } })
    expect(pool.members.map(({ info }) => info?.details.device)).toEqual(['0', '3', 'GPU-abc'])
    expect(new Set(pool.members.map(({ pid }) => pid)).size).toBe(3)
    await pool.load('a', entry)
    const answers = await Promise.all([run(), run(), run()])
    expect(answers.map(({ logits }) => logits[0])).toEqual([2, 2, 2])
    expect(pool.capacity).toBe(3)
  })

  it('gives a batch to the process that is least busy', async () => {
    const { pool, run } = create({ devices: ['0', '1'] })
    await pool.start()
    await pool.load('a', entry)
    const hanging = run('hangs').catch((error) => error)
    expect((await run()).logits[0]).toBe(2)
    expect((await run()).logits[0]).toBe(2)
    await pool.stop()
    expect(await hanging).toMatchObject({ code: 'engine_unavailable' })
  })

  it('goes on with the other GPUs while one restarts', async () => {
    const { pool, clock, capacities, run } = create({ devices: ['0', '1'] })
    await pool.start()
    await pool.load('a', entry)
    await kill(pool, 0)
    await eventually(() => expect(pool.capacity).toBe(1))
    expect(pool.state).toBe('ready')
    expect((await run()).logits[0]).toBe(2)
    await clock.advance(100)
    await eventually(() => expect(pool.capacity).toBe(2))
    expect(pool.restarts).toBe(1)
    expect(capacities.slice(-2)).toEqual([1, 2])
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
    expect([pool.state, pool.capacity]).toEqual(['failed', 0])
  })

  it('does not start when one of the GPUs cannot be opened, and leaves no process behind', async () => {
    const { pool } = create({ devices: ['0', 'broken'] })
    await expect(pool.start()).rejects.toThrow('no such GPU')
    const pids = pool.members.map(({ pid }) => pid)
    await pool.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  it('is stopped before it starts, and refuses', async () => {
    const { pool, run } = create()
    expect([pool.state, pool.capacity, pool.info]).toEqual(['stopped', 0, undefined])
    await expect(run()).rejects.toThrow('run before start')
  })
})
