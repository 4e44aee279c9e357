import { type CpuMs, cpuTotal } from './cpu.ts'
import { series } from './statistics.ts'

/** A fall of the CPU time per answer that counts as one. */
const FALL = 0.03
/**
 * Answers that a server gives before it can have settled, over all its loads. After some 3,000, when V8 has compiled it
 * once more, HTTP takes half the CPU time from one second to the next; for seconds before, it does not fall.
 */
const MIN_ANSWERS = 5000
/** Windows that are compared with as many before them. */
const WINDOWS = 3

/**
 * Whether the CPU time per answer no longer falls, in HTTP and in all: it is a small part of the whole, and takes the
 * longest, since it is the part that V8 compiles. Rates say less, since they follow the speed of the machine.
 */
export function settled(windows: CpuMs[], answered: number): boolean {
  if (windows.length < 2 * WINDOWS || answered < MIN_ANSWERS) return false
  return [cpuTotal, ({ http }: CpuMs) => http].every((of) => {
    const last = series(windows.slice(-WINDOWS).map(of)).median
    const before = series(windows.slice(-2 * WINDOWS, -WINDOWS).map(of)).median
    // Not `>=`: what is not known counts as settled.
    return !(last < (1 - FALL) * before)
  })
}

/** Asks for windows until they have settled, or `limitS` has passed. Resolves with the seconds that it took. */
export async function warmUp(
  window: () => Promise<{ cpuMs: CpuMs; answeredByServer: number }>,
  limitS: number,
  now = () => performance.now() / 1000,
): Promise<number> {
  const start = now()
  const windows: CpuMs[] = []
  let answered = 0
  do {
    const { cpuMs, answeredByServer } = await window()
    windows.push(cpuMs)
    answered = answeredByServer
  } while (!settled(windows, answered) && now() - start < limitS)
  return now() - start
}
