import { describe, expect, it } from 'vitest'
import { openSessions, release, sharedThreads } from '../../../src/model/engines/onnx-sessions.ts'
import { loadGraph } from '../../../src/model/load-graph.ts'
import { FIXTURE_BATCH, smallFixture } from '../parity-fixtures.ts'

describe('sharedThreads', () => {
  const dealtOut = (threads: number, count: number) =>
    Array.from({ length: count }, (_, index) => sharedThreads(threads, { index, count }))

  it('are all threads where there is one process', () => {
    expect(sharedThreads(4)).toEqual({ shared: 4, alone: 4 })
  })

  it('add up to the threads there are, and the first process has them all when it is alone', () => {
    expect(dealtOut(2, 2)).toEqual([
      { shared: 1, alone: 2 },
      { shared: 1, alone: 1 },
    ])
    expect(dealtOut(7, 3).map(({ shared }) => shared)).toEqual([3, 2, 2])
    expect(dealtOut(7, 3).map(({ alone }) => alone)).toEqual([7, 2, 2])
  })

  it('are one for each process at least', () => {
    expect(dealtOut(1, 3).map(({ shared }) => shared)).toEqual([1, 1, 1])
  })
})

describe('sessions', () => {
  const fixture = smallFixture()

  it('answer alike on any number of threads', async () => {
    const sessions = await openSessions(loadGraph(fixture.entry), { shared: 1, alone: 2 })
    expect(sessions.alone).not.toBe(sessions.shared)
    const [alone, shared] = [
      await sessions.alone.run(fixture.input, FIXTURE_BATCH),
      await sessions.shared.run(fixture.input, FIXTURE_BATCH),
    ]
    for (const [name, values] of Object.entries(shared)) {
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(alone[name]?.[i] as number, 4)
    }
    await release(sessions)
  })

  it('are one where the threads are the same', async () => {
    const sessions = await openSessions(loadGraph(fixture.entry), { shared: 1, alone: 1 })
    expect(sessions.alone).toBe(sessions.shared)
    await release(sessions)
  })
})
