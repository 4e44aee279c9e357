import { setImmediate as nextTurn } from 'node:timers/promises'

let last: Promise<unknown> = Promise.resolve()

/** Does work that comes in pieces, each in a turn of the event loop of its own: no two pieces share one, whosever they are. */
export async function inTurns<Result>(work: Generator<unknown, Result>): Promise<Result> {
  for (;;) {
    last = last.then(() => nextTurn())
    await last
    const piece = work.next()
    if (piece.done) return piece.value
  }
}

/** Does it now, all at once: for work that is known to be short. */
export function atOnce<Result>(work: Generator<unknown, Result>): Result {
  for (;;) {
    const piece = work.next()
    if (piece.done) return piece.value
  }
}
