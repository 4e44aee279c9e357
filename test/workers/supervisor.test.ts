import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Outputs } from '../../src/engines/engine.ts'
import { EngineSupervisor, type EngineSupervisorOptions } from '../../src/workers/supervisor.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { DOUBLE, eventually, isAlive, stopAfterTest } from './processes.ts'

const HEARTBEAT_MS = 1_000_000
const BATCH_TIMEOUT_MS = 20_000
const { entry } = smallFixture()

function create(options: Partial<EngineSupervisorOptions> = {}) {
  const clock = new FakeClock()
  const errors: string[] = []
  const fatal: string[] = []
  const engine = new EngineSupervisor({
    engine: 'auto',
    options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' },
    heartbeatTimeoutMs: HEARTBEAT_MS,
    batchTimeoutMs: BATCH_TIMEOUT_MS,
    allowedBatchSizes: [1],
    clock,
    log: (level, message) => {
      if (level === 'error') errors.push(message)
    },
    onFatal: (reason) => fatal.push(reason),
    entry: DOUBLE,
    ...options,
  })
  const run = (key: string) => engine.run(key, { inputs: [Float32Array.of(1, 2)], batchSize: 1 })
  const kill = () => process.kill(engine.pid as number, 'SIGKILL')
  return { engine: stopAfterTest(engine), clock, errors, fatal, run, kill }
}

const becomes = (engine: EngineSupervisor, state: string) => eventually(() => expect(engine.state).toBe(state))

describe('EngineSupervisor', () => {
  it('starts, loads and runs', async () => {
    const { engine, run } = create()
    expect(engine.state).toBe('stopped')
    expect(await engine.start()).toMatchObject({ engine: 'wasm', details: { pid: engine.pid } })
    expect(engine.state).toBe('ready')
    expect(engine.info?.engine).toBe('wasm')
    expect(await engine.load('a', entry)).toEqual({ parameters: 1, loadMs: 1 })
    expect(await run('a')).toEqual({ logits: Float32Array.of(2, 4), embedding: Float32Array.of(1) })
    expect(engine.restarts).toBe(0)
  })

  it('warms up no batch that is larger than the model is ever given', async () => {
    const { engine } = create({ allowedBatchSizes: [1, 2, 4, 8, 16] })
    await engine.start()
    const bounded = { ...entry, manifest: { ...entry.manifest, maxBatchSize: 6 } }
    // 1, 2, 4 and 6: the double tells how many sizes it was given.
    expect(await engine.load('bounded', bounded)).toMatchObject({ parameters: 4 })
    expect(await engine.load('a', entry)).toMatchObject({ parameters: 5 })
  })

  it.each([
    ['that cannot run here', 'cuda', 'no GPU here'],
    ['that crashes as it opens', 'onnx', 'the process ended: exit code 7'],
  ] as const)('does not start with an engine %s: it says why, and tries nothing else', async (_, choice, reason) => {
    const { engine, clock, fatal, run } = create({ engine: choice })
    await expect(engine.start()).rejects.toThrow(reason)
    expect(engine.state).toBe('failed')
    expect(isAlive(engine.pid)).toBe(false)
    expect([clock.pending, fatal.length]).toEqual([0, 0])
    await expect(run('a')).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('rejects a model that cannot be loaded, and serves the others', async () => {
    const { engine, run } = create()
    await engine.start()
    await expect(engine.load('misshapen', entry)).rejects.toThrow('fc.weight is missing')
    await engine.load('a', entry)
    expect((await run('a')).logits[0]).toBe(2)
  })

  it('comes back with its models after being killed in the middle of a run', async () => {
    const { engine, clock, errors, fatal, run, kill } = create()
    await engine.start()
    await engine.load('a', entry)
    await engine.load('b', entry)
    await engine.load('hangs', entry)
    const first = engine.pid
    const running = run('hangs')
    kill()
    await expect(running).rejects.toMatchObject({ code: 'engine_unavailable', retryAfterS: 1 })
    await becomes(engine, 'restarting')
    await expect(run('a')).rejects.toMatchObject({ code: 'engine_unavailable', retryAfterS: 1 })
    expect(errors).toEqual(['the engine failed (the process ended: killed by SIGKILL); restarting in 100 ms'])
    await clock.advance(99)
    expect(engine.restarts).toBe(0)
    await clock.advance(1)
    await becomes(engine, 'ready')
    expect(engine.restarts).toBe(1)
    expect(engine.pid).not.toBe(first)
    expect(isAlive(first)).toBe(false)
    expect((await run('a')).logits[0]).toBe(2)
    expect((await run('b')).logits[0]).toBe(2)
    expect(fatal).toEqual([])
  })

  it('goes on trying when the system lets there be no other process, and does not end the server', async () => {
    const env: NodeJS.ProcessEnv = { ...process.env }
    const { engine, clock, errors, kill } = create({ env })
    await engine.start()
    // What makes `fork` itself throw, as ENOMEM or EPERM does.
    env.BAD = 'a\0b'
    kill()
    await becomes(engine, 'restarting')
    await clock.advance(100)
    await eventually(() => expect(errors).toHaveLength(2))
    expect(errors[1]).toMatch(/null byte.*restarting in 200 ms$/)
    delete env.BAD
    await clock.advance(200)
    await becomes(engine, 'ready')
  })

  it('restarts a process that hangs', async () => {
    const { engine, clock, errors } = create({ heartbeatTimeoutMs: 5000 })
    await engine.start()
    await clock.advance(5000)
    await becomes(engine, 'restarting')
    expect(errors).toEqual(['the engine failed (the process ended: silent for 5000 ms); restarting in 100 ms'])
    await clock.advance(100)
    await becomes(engine, 'ready')
  })

  it('restarts a process whose batch takes too long, counting from the end of the batch before it', async () => {
    const { engine, clock, errors, run } = create()
    await engine.start()
    await engine.load('a', entry)
    await engine.load('slow', entry)
    await engine.load('hangs', entry)
    const first = run('slow')
    const second = run('hangs')
    await clock.advance(BATCH_TIMEOUT_MS - 1)
    expect((await first).logits[0]).toBe(2)
    const outcome = expect(second).rejects.toMatchObject({ code: 'engine_unavailable' })
    await clock.advance(BATCH_TIMEOUT_MS - 1)
    expect(engine.state).toBe('ready')
    await clock.advance(1)
    await outcome
    await becomes(engine, 'restarting')
    expect(errors).toEqual([
      'the engine failed (the process ended: a batch took longer than 20000 ms); restarting in 100 ms',
    ])
  })

  it('waits longer before each restart in a row, and starts over once a batch is answered', async () => {
    const { engine, clock, errors, run, kill } = create()
    await engine.start()
    await engine.load('a', entry)
    for (const answersFirst of [false, false, true]) {
      if (answersFirst) await run('a')
      kill()
      await becomes(engine, 'restarting')
      await clock.advance(10_000)
      await becomes(engine, 'ready')
    }
    expect(errors.map((line) => line.replace(/.*restarting in /, ''))).toEqual(['100 ms', '200 ms', '100 ms'])
  })

  it('gives up on a process that no longer starts, and says why, once', async () => {
    const { engine, clock, errors, fatal, kill, run } = create()
    await engine.start()
    await engine.load('loads once', { ...entry, directory: temporaryFolder() })
    kill()
    for (let ended = 1; ended <= 6; ended++) {
      await eventually(() => expect(errors).toHaveLength(ended))
      await clock.advance(10_000)
    }
    await becomes(engine, 'failed')
    expect(fatal).toEqual(['the engine failed 7 times in a row, last: the process ended: exit code 7'])
    expect(errors.slice(1)).toEqual(
      [200, 400, 800, 1600, 3200].map(
        (ms) => `the engine failed (the process ended: exit code 7); restarting in ${ms} ms`,
      ),
    )
    expect(engine.restarts).toBe(6)
    expect([isAlive(engine.pid), clock.pending]).toEqual([false, 0])
    await expect(run('loads once')).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('leaves no process behind when stopped', async () => {
    const { engine, clock, errors } = create()
    await engine.start()
    const { pid } = engine
    await engine.stop()
    expect([isAlive(pid), engine.state, clock.pending]).toEqual([false, 'stopped', 0])
    expect(errors).toEqual([])
  })

  it('stops for good while it waits to restart', async () => {
    const { engine, clock, kill } = create()
    await engine.start()
    kill()
    await becomes(engine, 'restarting')
    await engine.stop()
    expect([engine.state, clock.pending, engine.restarts]).toEqual(['stopped', 0, 0])
  })

  it('stops for good while it starts', async () => {
    const { engine, fatal } = create()
    const starting = engine.start()
    await Promise.all([expect(starting).rejects.toThrow('the process ended'), engine.stop()])
    expect([engine.state, isAlive(engine.pid), fatal.length]).toEqual(['stopped', false, 0])
  })

  it('stops for good in the middle of a restart', async () => {
    const { engine, clock, errors, kill } = create()
    await engine.start()
    kill()
    await becomes(engine, 'restarting')
    await clock.advance(100)
    await engine.stop()
    expect([engine.state, isAlive(engine.pid)]).toEqual(['stopped', false])
    await eventually(() => expect(clock.pending).toBe(0))
    expect(errors).toHaveLength(1)
  })
})

describe('EngineSupervisor.replace', () => {
  const KEEP_ALL = new Set(['a', 'b', 'changes', 'who'])
  const models = (...keys: string[]) => new Map(keys.map((key) => [key, entry]))
  const whoRuns = async (run: (key: string) => Promise<Outputs>, key = 'who') => (await run(key)).logits[0]

  async function started(...keys: string[]) {
    const folder = temporaryFolder()
    const created = create()
    await created.engine.start()
    for (const key of keys) await created.engine.load(key, { ...entry, directory: folder })
    const inFolder = (...keys: string[]) => new Map(keys.map((key) => [key, { ...entry, directory: folder }]))
    return { ...created, folder, inFolder, go: () => writeFileSync(join(folder, 'go'), ''), first: created.engine.pid }
  }

  it('puts a fresh process with the new models in the place of the old one, which ends', async () => {
    const { engine, run, first, errors } = await started('a')
    expect(await engine.replace(models('b'), 'b')).toMatchObject({ parameters: 1 })
    engine.keep(new Set(['b']))
    expect(engine.pid).not.toBe(first)
    expect([engine.has('a'), engine.has('b'), engine.restarts]).toEqual([false, true, 0])
    expect((await run('b')).logits[0]).toBe(2)
    await eventually(() => expect(isAlive(first)).toBe(false))
    expect([engine.state, errors]).toEqual(['ready', []])
  })

  it('lets the old process finish the batch that it has, while the fresh one takes others', async () => {
    const { engine, run, inFolder, go, first } = await started('runs late')
    const running = whoRuns(run, 'runs late')
    await engine.replace(inFolder('runs late', 'who'), 'who')
    engine.keep(new Set(['runs late', 'who']))
    expect(await whoRuns(run)).toBe(engine.pid)
    expect(isAlive(first)).toBe(true)
    go()
    expect(await running).toBe(first)
    await eventually(() => expect(isAlive(first)).toBe(false))
  })

  it('bounds the batch that the old process still has', async () => {
    const { engine, clock, run, first } = await started('hangs')
    const running = expect(run('hangs')).rejects.toMatchObject({ code: 'engine_unavailable' })
    await engine.replace(models('a'), 'a')
    engine.keep(new Set(['a']))
    await clock.advance(BATCH_TIMEOUT_MS)
    await running
    await eventually(() => expect(isAlive(first)).toBe(false))
    expect((await run('a')).logits[0]).toBe(2)
    expect(engine.restarts).toBe(0)
  })

  it.each([
    ['the model cannot be loaded', 'misshapen', 'fc.weight is missing'],
    ['the fresh process ends', 'loads once', 'the process ended: exit code 7'],
  ])('changes nothing when %s, and says why', async (_, key, reason) => {
    const { engine, run, inFolder, folder, first, errors } = await started('a')
    writeFileSync(join(folder, `${key} loaded`), '')
    await expect(engine.replace(inFolder('a', key), key)).rejects.toThrow(reason)
    expect([engine.pid, engine.state, engine.has(key), errors]).toEqual([first, 'ready', false, []])
    expect((await run('a')).logits[0]).toBe(2)
    expect(engine.vitals).toBeUndefined()
  })

  it('takes the place of a process that ended meanwhile, before it is restarted', async () => {
    const { engine, clock, run, kill, inFolder, go } = await started('a')
    const replacing = engine.replace(inFolder('a', 'loads late'), 'loads late')
    kill()
    await becomes(engine, 'restarting')
    go()
    await replacing
    const { pid } = engine
    await clock.advance(10_000)
    expect([engine.state, engine.pid, engine.restarts]).toEqual(['ready', pid, 0])
    expect((await run('a')).logits[0]).toBe(2)
  })

  it('takes the place of a process that is being restarted meanwhile, and ends that one', async () => {
    const { engine, clock, run, kill, folder, go, errors } = await started('a')
    go()
    await engine.load('loads late', { ...entry, directory: folder })
    rmSync(join(folder, 'go'))
    kill()
    await becomes(engine, 'restarting')
    await clock.advance(100)
    const restarting = engine.pid
    await engine.replace(models('a', 'b'), 'b')
    expect(engine.state).toBe('ready')
    await eventually(() => expect(isAlive(restarting)).toBe(false))
    expect((await run('b')).logits[0]).toBe(2)
    await clock.advance(10_000)
    expect([engine.state, errors.length]).toEqual(['ready', 1])
  })

  it('restarts with the new models when the process ends later', async () => {
    const { engine, clock, run, kill } = await started('a')
    await engine.replace(models('b'), 'b')
    engine.keep(new Set(['b']))
    kill()
    await becomes(engine, 'restarting')
    await clock.advance(100)
    await becomes(engine, 'ready')
    expect((await run('b')).logits[0]).toBe(2)
    await expect(run('a')).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('leaves a model whose files have changed to the process that has it, until it is not kept any more', async () => {
    const { engine, run, inFolder, first, errors } = await started('changes')
    await engine.replace(inFolder('changes', 'who'), 'who')
    engine.keep(KEEP_ALL)
    expect(errors).toEqual(['model changes cannot be loaded again: sha256 is another'])
    expect((await run('changes')).logits[0]).toBe(2)
    expect(await whoRuns(run)).toBe(engine.pid)
    expect(isAlive(first)).toBe(true)
    engine.keep(new Set(['who']))
    await eventually(() => expect(isAlive(first)).toBe(false))
    await expect(run('changes')).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('keeps serving the others when a model cannot be loaded again at a restart', async () => {
    const { engine, clock, run, kill, errors } = await started('changes', 'a')
    kill()
    await becomes(engine, 'restarting')
    await clock.advance(100)
    await becomes(engine, 'ready')
    expect(errors.at(-1)).toBe('model changes cannot be loaded again: sha256 is another')
    expect((await run('a')).logits[0]).toBe(2)
    await expect(run('changes')).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('is abandoned, and all is as before', async () => {
    const { engine, run, inFolder, first } = await started('a')
    engine.abandon()
    const replacing = engine.replace(inFolder('a', 'loads late'), 'loads late')
    engine.abandon()
    await expect(replacing).rejects.toThrow('the process ended')
    engine.abandon()
    expect([engine.pid, engine.state]).toEqual([first, 'ready'])
    expect((await run('a')).logits[0]).toBe(2)
  })

  it('leaves no process behind when stopped meanwhile', async () => {
    const { engine, clock, inFolder, errors } = await started('a')
    const replacing = expect(engine.replace(inFolder('a', 'loads late'), 'loads late')).rejects.toThrow(
      'the process ended',
    )
    await engine.stop()
    await replacing
    expect([engine.state, clock.pending, errors]).toEqual(['stopped', 0, []])
  })
})
