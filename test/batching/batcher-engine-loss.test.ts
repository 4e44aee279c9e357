import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { setUp, watch } from './fake-engine.ts'

const gone = () => new ServeError('engine_unavailable', 'the engine process is restarting', { retryAfterS: 1 })

/** An engine that a test takes away and gives back. */
function setUpWithCapacity(initial = 1, options: Parameters<typeof setUp>[0] = {}) {
  let capacity = initial
  const all = setUp({ capacity: () => capacity, ...options })
  const setCapacity = (value: number): void => {
    capacity = value
    all.batcher.wake()
  }
  /** The process ends under its oldest batch. */
  const lose = async (): Promise<void> => {
    capacity = 0
    await all.engine.fail(gone())
  }
  return { ...all, setCapacity, lose }
}

describe('a batch whose engine ended', () => {
  it('is computed once more when there is one again, and nobody notices', async () => {
    const { engine, batcher, observed, lose, setCapacity } = setUpWithCapacity()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await lose()
    expect([engine.seen.length, result.outcomes]).toEqual([1, undefined])
    setCapacity(1)
    await engine.finish()
    expect(result.outcomes).toEqual(['k:a', 'k:b'])
    expect(observed.map(({ reason }) => reason)).toEqual(['retry'])
  })

  it('goes ahead of what was queued after it', async () => {
    const { engine, batcher, lose, setCapacity } = setUpWithCapacity()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'])
    await lose()
    setCapacity(1)
    await engine.finishAll()
    expect(engine.seen).toEqual([['a'], ['a'], ['b']])
  })

  it('is answered engine_unavailable when its second engine ends too', async () => {
    const { engine, batcher, lose, setCapacity } = setUpWithCapacity()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await lose()
    setCapacity(1)
    await lose()
    expect(result.outcomes).toEqual(['engine_unavailable', 'engine_unavailable'])
    expect(result.answers?.[0]).toMatchObject({ retryAfterS: 1 })
    setCapacity(1)
    expect(engine.seen).toHaveLength(2)
  })

  it('is computed as often again as there are engines, which may all end at the same moment', async () => {
    const { engine, batcher, lose, setCapacity } = setUpWithCapacity(1, { count: 2 })
    const [first, second] = [watch(batcher.submit('k', ['a'])), watch(batcher.submit('k', ['b']))]
    for (let losses = 0; losses < 2; losses++) {
      await lose()
      expect(first.outcomes).toBeUndefined()
      setCapacity(1)
    }
    await engine.finish()
    expect(first.outcomes).toEqual(['k:a'])
    for (let losses = 0; losses < 3; losses++) {
      setCapacity(1)
      await lose()
    }
    expect(second.outcomes).toEqual(['engine_unavailable'])
  })

  it('goes to another engine at once where there is one', async () => {
    const { engine, batcher, setCapacity } = setUpWithCapacity(2)
    const result = watch(batcher.submit('k', ['a']))
    setCapacity(1)
    await engine.fail(gone())
    await engine.finish()
    expect(result.outcomes).toEqual(['k:a'])
  })

  it('is retried without what expired or was canceled meanwhile', async () => {
    const { engine, batcher, clock, lose, setCapacity } = setUpWithCapacity()
    const client = new AbortController()
    const first = watch(batcher.submit('k', ['running']))
    const results = [
      watch(batcher.submit('k', ['expires'], { deadline: 50 })),
      watch(batcher.submit('k', ['leaves'], { signal: client.signal })),
      watch(batcher.submit('k', ['stays'])),
    ]
    await engine.finish()
    await lose()
    client.abort()
    await clock.advance(60)
    setCapacity(1)
    await engine.finish()
    expect(engine.seen.at(-1)).toEqual(['stays'])
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['deadline_exceeded', 'canceled', 'k:stays'])
    expect(first.outcomes).toEqual(['k:running'])
  })

  it('fails its poisonous item alone when the second engine answers', async () => {
    const { engine, batcher, lose, setCapacity } = setUpWithCapacity()
    const result = watch(batcher.submit('k', ['a', 'bad', 'c', 'd']))
    await lose()
    setCapacity(1)
    await engine.finishAll({ poison: ['bad'] })
    expect(result.outcomes).toEqual(['k:a', 'inference_failed', 'k:c', 'k:d'])
  })
})

describe('while there is no engine', () => {
  it('work is accepted and waits, as far as the queue reaches', async () => {
    const { engine, batcher, setCapacity } = setUpWithCapacity(0)
    const results = [watch(batcher.submit('k', ['a'])), watch(batcher.submit('k', ['b']))]
    expect([engine.seen, batcher.queueDepth]).toEqual([[], 2])
    setCapacity(1)
    await engine.finishAll()
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['k:a', 'k:b'])
  })

  it('deadlines are kept', async () => {
    const { engine, batcher, clock, setCapacity } = setUpWithCapacity(0)
    const result = watch(batcher.submit('k', ['a'], { deadline: 20 }))
    await clock.advance(20)
    expect(result.outcomes).toEqual(['deadline_exceeded'])
    setCapacity(1)
    expect(engine.seen).toEqual([])
  })

  it('drain waits for the retry of what was accepted', async () => {
    const { engine, batcher, lose, setCapacity } = setUpWithCapacity()
    const result = watch(batcher.submit('k', ['a']))
    await lose()
    let drained = false
    void batcher.drain().then(() => {
      drained = true
    })
    setCapacity(0)
    expect(drained).toBe(false)
    setCapacity(1)
    await engine.finishAll()
    expect([drained, result.outcomes]).toEqual([true, ['k:a']])
  })
})
