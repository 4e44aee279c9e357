import { describe, expect, it } from 'vitest'
import { type Job, RequestLine } from '../../web/src/request-line.ts'
import { FakeTimers } from './fake-timers.ts'

/** A line whose jobs end when the test says so. */
function setUp() {
  const timers = new FakeTimers()
  const line = new RequestLine(timers)
  const log: string[] = []
  const ends = new Map<string, (retryMs?: number) => void>()
  const job =
    (name: string): Job =>
    () => {
      log.push(name)
      return new Promise((resolve) => ends.set(name, resolve))
    }
  const end = async (name: string, retryMs?: number): Promise<void> => {
    ends.get(name)?.(retryMs)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { timers, line, log, job, end }
}

describe('the line of requests', () => {
  it('asks about a drawing once the pen has rested, and only about its last state', () => {
    const { timers, line, log, job } = setUp()
    line.draw(job('first'), 40)
    timers.advance(39)
    line.draw(job('second'), 40)
    timers.advance(39)
    expect(log).toEqual([])
    timers.advance(1)
    expect(log).toEqual(['second'])
  })

  it('sends one at a time: what is drawn meanwhile waits, and only the newest of it is sent', async () => {
    const { timers, line, log, job, end } = setUp()
    for (const name of ['a', 'b', 'c']) {
      line.draw(job(name), 0)
      timers.advance(0)
    }
    expect(log).toEqual(['a'])
    await end('a')
    expect(log).toEqual(['a', 'c'])
  })

  it('sends every picture, in order, one at a time', async () => {
    const { line, log, job, end } = setUp()
    line.add(job('a'), job('b'))
    line.add(job('c'))
    expect(log).toEqual(['a'])
    await end('a')
    await end('b')
    expect(log).toEqual(['a', 'b', 'c'])
  })

  it('puts the drawing before pictures', async () => {
    const { timers, line, log, job, end } = setUp()
    line.add(job('a'), job('b'))
    line.draw(job('drawing'), 0)
    timers.advance(0)
    await end('a')
    expect(log).toEqual(['a', 'drawing'])
    await end('drawing')
    expect(log).toEqual(['a', 'drawing', 'b'])
  })

  it('asks again when it was told to, and nothing else before', async () => {
    const { timers, line, log, job, end } = setUp()
    line.add(job('a'), job('b'))
    await end('a', 2000)
    timers.advance(1999)
    expect(log).toEqual(['a'])
    timers.advance(1)
    expect(log).toEqual(['a', 'a'])
    await end('a')
    expect(log).toEqual(['a', 'a', 'b'])
  })

  it('asks about the newer drawing instead of the one that was refused', async () => {
    const { timers, line, log, job, end } = setUp()
    line.draw(job('old'), 0)
    timers.advance(0)
    await end('old', 1000)
    line.draw(job('new'), 40)
    timers.advance(1000)
    expect(log).toEqual(['old', 'new'])
    await end('new')
    timers.advance(10_000)
    expect(log).toEqual(['old', 'new'])
  })

  it('keeps the newer drawing that came while the older was being refused', async () => {
    const { timers, line, log, job, end } = setUp()
    line.draw(job('old'), 0)
    timers.advance(0)
    line.draw(job('new'), 40)
    await end('old', 1000)
    timers.advance(1000)
    expect(log).toEqual(['old', 'new'])
  })

  it('forgets all that waits, and what was refused, when it is cleared', async () => {
    const { timers, line, log, job, end } = setUp()
    line.add(job('a'), job('b'))
    line.draw(job('drawing'), 40)
    line.clear()
    await end('a', 1000)
    timers.advance(10_000)
    expect(log).toEqual(['a'])
    line.add(job('c'))
    expect(log).toEqual(['a', 'c'])
  })
})
