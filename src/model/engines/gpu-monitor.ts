import type { Clock } from '../../batching/clock.ts'
import { type GpuFacts, readGpuFacts } from './gpu-facts.ts'

/** nvidia-smi takes about a tenth of a second of a core; memory in use is a slow quantity. */
const INTERVAL_MS = 15_000

/**
 * What the driver says of its GPUs, kept fresh where there is one, even if it does not always answer; elsewhere it asks
 * once and never again.
 */
export class GpuMonitor {
  readonly #clock: Clock
  readonly #read: () => Promise<GpuFacts[] | undefined>
  #facts: GpuFacts[] = []
  #callOff: () => void = () => {}
  #hasGpus = false
  #stopped = false

  constructor(clock: Clock, read: () => Promise<GpuFacts[] | undefined> = readGpuFacts) {
    this.#clock = clock
    this.#read = read
  }

  /** As last read; empty where there is no GPU or no nvidia-smi. */
  get facts(): readonly GpuFacts[] {
    return this.#facts
  }

  async start(): Promise<void> {
    this.#facts = (await this.#read()) ?? []
    this.#hasGpus ||= this.#facts.length > 0
    if (this.#hasGpus && !this.#stopped) {
      this.#callOff = this.#clock.after(INTERVAL_MS, () => void this.start())
    }
  }

  stop(): void {
    this.#stopped = true
    this.#callOff()
  }
}
