import { readdirSync, readFileSync } from 'node:fs'

/** Resident memory in bytes. Pages that both processes map, such as the node binary, count in each. */
export interface Memory {
  server: number
  /** The server's child processes, which is the engine. */
  engine: number
}

interface ProcessStatus {
  pid: number
  parent: number
  rss: number
}

/** Of the process and all its descendants; undefined where there is no /proc. */
export function memoryOf(pid: number): Memory | undefined {
  const processes = readProcesses()
  const own = processes.find((candidate) => candidate.pid === pid)
  if (own === undefined) return undefined
  const below = (parent: number): number =>
    processes.filter((child) => child.parent === parent).reduce((sum, child) => sum + child.rss + below(child.pid), 0)
  return { server: own.rss, engine: below(pid) }
}

function readProcesses(): ProcessStatus[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readStatus)
  } catch {
    return []
  }
}

/** Empty for a process that has ended meanwhile. */
function readStatus(pid: string): ProcessStatus[] {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0)
    return [{ pid: Number(pid), parent: field('PPid'), rss: field('VmRSS') * 1024 }]
  } catch {
    return []
  }
}

/** Of all processes, in MiB; NaN where it is not known. */
export function memoryTotalMiB(memory: Memory | undefined): number {
  return memory === undefined ? Number.NaN : total(memory) / 2 ** 20
}

export function total({ server, engine }: Memory): number {
  return server + engine
}
