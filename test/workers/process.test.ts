import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { concatenate } from '../../src/engines/concatenate.ts'
import { ServeError } from '../../src/errors.ts'
import { EngineProcess, type EngineProcessOptions } from '../../src/workers/process.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { DOUBLE, eventually, isAlive, stopAfterTest } from './processes.ts'

const HEARTBEAT_MS = 5000
const { entry } = smallFixture()

function start(options: Partial<EngineProcessOptions> = {}) {
  const clock = new FakeClock()
  const lines: string[] = []
  const warnings: string[] = []
  const child = new EngineProcess({
    heartbeatTimeoutMs: HEARTBEAT_MS,
    batchTimeoutMs: 60_000,
    clock,
    onOutput: (line) => lines.push(line),
    onWarning: (line) => warnings.push(line),
    entry: DOUBLE,
    ...options,
  })
  const open = () =>
    child.call('open', { choice: 'wasm', options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' } })
  const load = (key: string) => child.call('load', { key, entry, allowedBatchSizes: [1, 2] })
  const run = (key: string, ...values: number[]) =>
    child.run({ key, inputs: [Float32Array.from(values)], batchSize: 1 })
  return { child: stopAfterTest(child), clock, lines, warnings, open, load, run }
}

describe('EngineProcess', () => {
  it('carries calls in and answers out, arrays as Float32Array', async () => {
    const { child, open, load, run } = start()
    expect(await open()).toEqual({
      engine: 'wasm',
      details: { pid: child.pid },
      takesAllThreads: false,
      passedOver: [],
    })
    expect(await load('a')).toEqual({ parameters: 2, loadMs: 1 })
    const { logits, embedding } = await run('a', 1, 2.5)
    expect(logits).toBeInstanceOf(Float32Array)
    expect([...logits]).toEqual([2, 5])
    expect([...embedding]).toEqual([1])
  })

  it('sends only the part of its memory that an array shows', async () => {
    const { child, load } = start()
    await load('a')
    const input = Float32Array.of(9, 1, 2, 9).subarray(1, 3)
    const { logits } = await child.run({ key: 'a', inputs: [input], batchSize: 1 })
    expect([...logits]).toEqual([2, 4])
  })

  it('carries the inputs of several batches, larger than a pipe holds, each whole and in order', async () => {
    const { child, load } = start()
    await load('a')
    const from = (first: number) => Float32Array.from({ length: 300_000 }, (_, i) => first + i)
    const batches = [0, 1, 2].map((i) => [from(i), from(i + 10).subarray(7), Float32Array.of(i)])
    const answers = await Promise.all(
      batches.map((inputs) => child.run({ key: 'a', inputs, batchSize: inputs.length })),
    )
    for (const [i, { logits }] of answers.entries()) {
      const doubled = concatenate(batches[i] as Float32Array[]).map((value) => 2 * value)
      expect(Buffer.compare(Buffer.from(logits.buffer), Buffer.from(doubled.buffer))).toBe(0)
    }
  })

  it('goes on with the next inputs after a batch that was refused', async () => {
    const { run, load } = start()
    await load('a')
    const refused = run('nowhere', 1, 2, 3)
    const answered = run('a', 4)
    await expect(refused).rejects.toThrow('no model nowhere is loaded')
    expect([...(await answered).logits]).toEqual([8])
  })

  it('rejects a batch whose inputs are still on their way when the child is killed', async () => {
    const { child, load } = start()
    await load('a')
    const inputs = [new Float32Array(1_000_000)]
    const pending = [1, 2].map(() => child.run({ key: 'hangs', inputs, batchSize: 1 }))
    const rejected = Promise.allSettled(pending)
    child.kill('no more')
    for (const { status } of await rejected) expect(status).toBe('rejected')
    expect(await child.exited).toBe('no more')
  })

  it('matches answers to calls, whatever their order', async () => {
    const { load, run } = start()
    await load('a')
    const hanging = run('hangs', 1)
    hanging.catch(() => {})
    expect((await run('a', 3)).logits[0]).toBe(6)
  })

  it("rejects with the child's own words when it refuses, and goes on", async () => {
    const { load, run } = start()
    const refusal = await load('misshapen').catch((error) => error)
    expect(refusal).not.toBeInstanceOf(ServeError)
    expect(refusal.message).toBe('fc.weight is missing')
    await load('a')
    expect((await run('a', 1)).logits[0]).toBe(2)
  })

  it('passes on what the child writes', async () => {
    const { open, lines } = start()
    await open()
    await eventually(() => expect(lines).toContain('the double is open'))
  })

  it('rejects what is pending, and every later call, when the child is killed', async () => {
    const { child, load, run } = start()
    await load('a')
    const pending = run('hangs', 1)
    process.kill(child.pid as number, 'SIGKILL')
    await expect(pending).rejects.toMatchObject({ code: 'engine_unavailable', retryAfterS: 1 })
    expect(await child.exited).toBe('killed by SIGKILL')
    await expect(run('a', 1)).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  it('tells the exit code of a child that ends itself', async () => {
    const { child } = start()
    const opening = child.call('open', {
      choice: 'onnx',
      options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' },
    })
    await expect(opening).rejects.toMatchObject({ code: 'engine_unavailable' })
    expect(await child.exited).toBe('exit code 7')
  })

  it('kills a child that is silent for too long, and says so', async () => {
    const { child, clock, load, run } = start()
    await load('a')
    const pending = run('hangs', 1)
    pending.catch(() => {})
    await clock.advance(HEARTBEAT_MS)
    expect(await child.exited).toBe(`silent for ${HEARTBEAT_MS} ms`)
    await expect(pending).rejects.toMatchObject({ code: 'engine_unavailable' })
    expect(clock.pending).toBe(0)
  })

  it('takes every message as a sign of life', async () => {
    const { child, clock, load, run } = start()
    await load('a')
    await clock.advance(HEARTBEAT_MS - 1)
    await run('a', 1)
    await clock.advance(HEARTBEAT_MS - 1)
    expect((await run('a', 1)).logits[0]).toBe(2)
    expect(isAlive(child.pid)).toBe(true)
  })

  it('ends when told to', async () => {
    const { child, clock, open } = start()
    await open()
    await child.stop()
    expect(await child.exited).toBe('exit code 0')
    expect(isAlive(child.pid)).toBe(false)
    expect(clock.pending).toBe(0)
  })

  it('does not outlive its parent, even if it hangs', async () => {
    const parent = join(import.meta.dirname, 'exiting-parent.ts')
    const pid = await new Promise<number>((resolve) => {
      execFile(process.execPath, ['--import', 'tsx', parent, fileURLToPath(DOUBLE)], (_error, stdout) =>
        resolve(Number(stdout)),
      )
    })
    expect(pid).toBeGreaterThan(0)
    await eventually(() => expect(isAlive(pid)).toBe(false))
  })

  it('kills a child that will not leave', async () => {
    const { child, clock, load } = start()
    await load('stubborn')
    const stopped = child.stop()
    await clock.advance(2000)
    await stopped
    expect(await child.exited).toBe('killed by SIGKILL')
  })
})
