import { describe, expect, it } from 'vitest'
import { dealThreads, openSessions, release } from '../../../src/engines/onnx/sessions.ts'
import { loadGraph } from '../../../src/repository/load-graph.ts'
import { FIXTURE_BATCH, smallFixture } from '../../helpers/parity-fixtures.ts'

describe('dealThreads', () => {
  const dealtOut = (threads: number, count: number) =>
    Array.from({ length: count }, (_, index) => dealThreads(threads, { index, count }))

  it('are all threads where there is one process', () => {
    expect(dealThreads(4)).toEqual({ share: 4, all: 4 })
  })

  it('add up to the threads there are, and the first process has them all when it is alone', () => {
    expect(dealtOut(2, 2)).toEqual([
      { share: 1, all: 2 },
      { share: 1, all: 1 },
    ])
    expect(dealtOut(7, 3).map(({ share }) => share)).toEqual([3, 2, 2])
    expect(dealtOut(7, 3).map(({ all }) => all)).toEqual([7, 2, 2])
  })

  it('are one for each process at least', () => {
    expect(dealtOut(1, 3).map(({ share }) => share)).toEqual([1, 1, 1])
  })
})

describe('sessions', () => {
  const fixture = smallFixture()

  it('answer alike on any number of threads', async () => {
    const sessions = await openSessions(loadGraph(fixture.entry), { share: 1, all: 2 })
    expect(sessions.all).not.toBe(sessions.share)
    const [all, share] = [
      await sessions.all.run(fixture.input, FIXTURE_BATCH),
      await sessions.share.run(fixture.input, FIXTURE_BATCH),
    ]
    for (const [name, values] of Object.entries(share)) {
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(all[name]?.[i] as number, 4)
    }
    await release(sessions)
  })

  it('are one where the threads are the same', async () => {
    const sessions = await openSessions(loadGraph(fixture.entry), { share: 1, all: 1 })
    expect(sessions.all).toBe(sessions.share)
    await release(sessions)
  })
})
