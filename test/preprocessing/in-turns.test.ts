import { describe, expect, it } from 'vitest'
import { atOnce, inTurns } from '../../src/preprocessing/in-turns.ts'

/** Notes its name at each of three pieces. */
function* work(name: string, done: string[]): Generator<undefined, string> {
  for (let piece = 0; piece < 2; piece++) {
    done.push(name)
    yield
  }
  done.push(name)
  return name
}

/** Counts turns of the event loop until `end` settles. */
async function turnsUntil(end: Promise<unknown>): Promise<number> {
  let turns = 0
  let ended = false
  void end.then(() => {
    ended = true
  })
  while (!ended) {
    await new Promise((turn) => setImmediate(turn))
    turns++
  }
  return turns
}

describe('inTurns', () => {
  it('gives each piece a turn of the event loop, whosever it is, and lets all go on together', async () => {
    const done: string[] = []
    const all = Promise.all([inTurns(work('a', done)), inTurns(work('b', done))])
    expect(done).toEqual([])
    expect(await turnsUntil(all)).toBeGreaterThanOrEqual(6)
    expect(done).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
    expect(await all).toEqual(['a', 'b'])
  })

  it('fails alone', async () => {
    const done: string[] = []
    const failing = inTurns(
      (function* () {
        yield
        throw new Error('broken')
      })(),
    )
    await expect(failing).rejects.toThrow('broken')
    expect(await inTurns(work('next', done))).toBe('next')
  })
})

describe('atOnce', () => {
  it('does all pieces now', () => {
    const done: string[] = []
    expect(atOnce(work('a', done))).toBe('a')
    expect(done).toEqual(['a', 'a', 'a'])
  })
})
