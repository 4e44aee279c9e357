import { namesIn, processTree, readProc } from './processes.ts'

/** CPU time in milliseconds; NaN without /proc. */
export interface CpuMs {
  /** The process that was started, which answers HTTP. */
  http: number
  /** All its descendants: the engine's processes, or a Python server's workers. */
  engine: number
}

/** Nanoseconds on a CPU of each thread, by process and thread id. */
export interface CpuReading {
  http: Map<string, number>
  engine: Map<string, number>
}

/**
 * Of the process and all its descendants. /proc/<pid>/schedstat has the first thread alone, and /proc/<pid>/stat counts
 * in ticks of 10 ms, which is some percent of what HTTP uses in a short window: so the schedstat of each thread. A thread
 * that ends takes with it what it used since the first reading; servers end threads that are idle, and not under load.
 */
export function readCpu(pid: number): CpuReading {
  const [own, ...descendants] = processTree(pid)
  return { http: threadsOf(own === undefined ? [] : [own]), engine: threadsOf(descendants) }
}

function threadsOf(pids: number[]): Map<string, number> {
  const files = pids.flatMap((pid) => namesIn(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}/schedstat`))
  return new Map(files.map((file) => [file, Number.parseInt(readProc(file), 10)]))
}

/** A thread that is new since the first reading counts from its start. */
export function cpuBetween(before: CpuReading, after: CpuReading): CpuMs {
  const used = (of: keyof CpuReading): number =>
    [...after[of]].reduce((sum, [thread, ns]) => sum + (ns || 0) - (before[of].get(thread) || 0), 0) / 1e6
  return after.http.size === 0
    ? { http: Number.NaN, engine: Number.NaN }
    : { http: used('http'), engine: used('engine') }
}

/** Of all processes. */
export function cpuTotal({ http, engine }: CpuMs): number {
  return http + engine
}
