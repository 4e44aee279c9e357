import type { Clock } from '../batching/clock.ts'

interface Cohort {
  requests: number
  onEmpty: () => void
}

const newCohort = (): Cohort => ({ requests: 0, onEmpty: () => {} })

/**
 * The requests under way. A request may hold a model that was taken out of the catalog since: who takes it from the engine
 * waits for those that began before.
 */
export class InFlight {
  #cohort = newCohort()

  /** Begins a request; call what it returns at its end. */
  begin(): () => void {
    const cohort = this.#cohort
    cohort.requests++
    let ended = false
    return () => {
      if (ended) return
      ended = true
      cohort.requests--
      if (cohort.requests === 0) cohort.onEmpty()
    }
  }

  /** Resolves when all requests that have begun by now have ended, or after `ms`. One call at a time. */
  async ended(clock: Clock, ms: number): Promise<void> {
    const cohort = this.#cohort
    this.#cohort = newCohort()
    if (cohort.requests === 0) return
    await new Promise<void>((resolve) => {
      const callOff = clock.after(ms, resolve)
      cohort.onEmpty = () => {
        callOff()
        resolve()
      }
    })
  }
}
