import { describe, expect, it } from 'vitest'
import { type Answer, Job, type JobOptions, type SubmitOptions } from '../../src/batching/job.ts'
import { ServeError } from '../../src/errors.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { type FakeOutput, many, watch } from './fake-engine.ts'

const answer = (output: string): Answer<FakeOutput> => ({ output, queueMs: 0, computeMs: 0, batchSize: 1 })

type TestJob = Job<string, string, Answer<FakeOutput>>

function newJob(items: number, options: Partial<JobOptions<string, string>> & SubmitOptions = {}) {
  const clock = new FakeClock()
  const job = new Job<string, string, Answer<FakeOutput>>(
    { key: 'k', inputs: many('input', items), clock, ...options },
    options,
  )
  return { clock, job, result: watch(job.settled) }
}

describe('Job', () => {
  it('resolves when every item has its answer, and not before', async () => {
    const { job, result } = newJob(2)
    job.settle(1, answer('b'))
    await settle()
    expect(result.outcomes).toBeUndefined()
    job.settle(0, answer('a'))
    await settle()
    expect(result.outcomes).toEqual(['a', 'b'])
  })

  it('resolves at once when it has no items', async () => {
    const { result } = newJob(0)
    await settle()
    expect(result.outcomes).toEqual([])
  })

  it('keeps the failure of one item in its place', async () => {
    const { job, result } = newJob(2)
    job.settle(0, new ServeError('inference_failed', 'no'))
    job.settle(1, answer('b'))
    await settle()
    expect(result.outcomes).toEqual(['inference_failed', 'b'])
  })

  it('keeps the first answer of an item', async () => {
    const { job, result } = newJob(2)
    job.settle(0, answer('first'))
    job.settle(0, answer('second'))
    await settle()
    expect(result.outcomes).toBeUndefined()
    job.settle(1, answer('b'))
    await settle()
    expect(result.outcomes).toEqual(['first', 'b'])
  })

  it('gives up the items still missing when its deadline passes', async () => {
    const clock = new FakeClock()
    await clock.advance(30)
    const { job, result } = newJob(3, { deadline: 50, clock })
    job.settle(1, answer('b'))
    await clock.advance(19)
    expect(result.outcomes).toBeUndefined()
    await clock.advance(1)
    expect(result.outcomes).toEqual(['deadline_exceeded', 'b', 'deadline_exceeded'])
  })

  it('can be told that its deadline has passed before its timer says so', async () => {
    const { job, result } = newJob(1, { deadline: 50 })
    job.expireAt(49)
    await settle()
    expect(result.outcomes).toBeUndefined()
    job.expireAt(50)
    await settle()
    expect(result.outcomes).toEqual(['deadline_exceeded'])
  })

  it('never expires without a deadline', async () => {
    const { clock, job, result } = newJob(1)
    job.expireAt(Number.MAX_VALUE)
    await settle()
    expect(result.outcomes).toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  it('gives up the items still missing when its signal is aborted', async () => {
    const controller = new AbortController()
    const { job, result } = newJob(2, { signal: controller.signal })
    job.settle(0, answer('a'))
    controller.abort()
    await settle()
    expect(result.outcomes).toEqual(['a', 'canceled'])
  })

  it('says that it gave up, once, after its items have their answers', async () => {
    const controller = new AbortController()
    let calls = 0
    const { clock, job } = newJob(1, { deadline: 50, signal: controller.signal, onGiveUp: () => calls++ })
    controller.abort()
    await clock.advance(100)
    job.expireAt(100)
    expect(calls).toBe(1)
  })

  it('does not give up once everything is answered', async () => {
    const controller = new AbortController()
    let calls = 0
    const options = { deadline: 50, signal: controller.signal, onGiveUp: () => calls++ }
    const { clock, job, result } = newJob(1, options)
    job.settle(0, answer('a'))
    controller.abort()
    job.expireAt(100)
    await clock.advance(100)
    expect(calls).toBe(0)
    expect(result.outcomes).toEqual(['a'])
  })

  it.each([
    ['everything is answered', (job: TestJob) => job.settle(0, answer('a'))],
    ['it gave up', (job: TestJob) => job.expireAt(50)],
  ])('leaves no timer behind when %s', (_, end) => {
    const { clock, job } = newJob(1, { deadline: 50 })
    expect(clock.pending).toBe(1)
    end(job)
    expect(clock.pending).toBe(0)
  })

  it('leaves no timer behind when it has no items', () => {
    expect(newJob(0, { deadline: 50 }).clock.pending).toBe(0)
  })

  it('leaves no listener on a signal that outlives it', () => {
    const { signal } = new AbortController()
    let listeners = 0
    const counted = {
      addEventListener: (...args: Parameters<AbortSignal['addEventListener']>) => {
        listeners++
        signal.addEventListener(...args)
      },
      removeEventListener: (...args: Parameters<AbortSignal['removeEventListener']>) => {
        listeners--
        signal.removeEventListener(...args)
      },
    } as AbortSignal
    const { job } = newJob(1, { signal: counted })
    expect(listeners).toBe(1)
    job.settle(0, answer('a'))
    expect(listeners).toBe(0)
    newJob(0, { signal: counted })
    expect(listeners).toBe(0)
  })

  it('knows when it was submitted', async () => {
    const clock = new FakeClock()
    await clock.advance(7)
    expect(newJob(1, { clock }).job.submittedAt).toBe(7)
  })
})
