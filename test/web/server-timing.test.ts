import { describe, expect, it } from 'vitest'
import { timingOf } from '../../web/src/server-timing.ts'

const ms = (header: string, roundTripMs: number) =>
  timingOf(header, roundTripMs).stages.map(({ name, ms }) => [name, Number(ms.toFixed(3))])

describe('the stages of a request', () => {
  it('are those of the header, what the server took beside them, and the network', () => {
    expect(ms('decode;dur=1.50, queue;dur=0.25, compute;dur=6.00, total;dur=9.00, batch;desc="16"', 12)).toEqual([
      ['decode', 1.5],
      ['queue', 0.25],
      ['compute', 6],
      ['other', 1.25],
      ['network', 3],
    ])
  })

  it('name the batch, or none where the cache had the answer', () => {
    expect(timingOf('total;dur=1, batch;desc="16"', 2).batchSize).toBe(16)
    expect(timingOf('total;dur=1, cache;desc=hit', 2).batchSize).toBeUndefined()
  })

  it('are never negative, and all network where a proxy took the header away', () => {
    expect(ms('decode;dur=5, total;dur=4', 3).map(([, value]) => value)).toEqual([5, 0, 0, 0, 0])
    expect(ms('', 7).at(-1)).toEqual(['network', 7])
  })
})
