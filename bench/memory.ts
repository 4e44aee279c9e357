import { readdirSync, readFileSync } from 'node:fs'

/** Resident memory in bytes. Pages that both processes map, such as the node binary, count in both. */
export interface Memory {
  server: number
  /** The server's child processes, which are the engine. */
  engine: number
  /** Of both, with shared pages counted once (PSS): what a container is charged for. */
  proportional: number
}

interface ProcessStatus {
  pid: number
  parent: number
  rss: number
  pss: number
}

/** Of the process and all its descendants; undefined without /proc. */
export function memoryOf(pid: number): Memory | undefined {
  const processes = readProcesses()
  const own = processes.find((candidate) => candidate.pid === pid)
  if (own === undefined) return undefined
  const below = (parent: number): ProcessStatus[] =>
    processes.filter((child) => child.parent === parent).flatMap((child) => [child, ...below(child.pid)])
  const engine = below(pid)
  const sum = (of: 'rss' | 'pss', all: ProcessStatus[]): number =>
    all.reduce((total, process) => total + process[of], 0)
  return { server: own.rss, engine: sum('rss', engine), proportional: sum('pss', [own, ...engine]) }
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
    const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8')
    const field = (text: string, name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0)
    const status = read('status')
    const pss = field(read('smaps_rollup'), 'Pss') * 1024
    return [{ pid: Number(pid), parent: field(status, 'PPid'), rss: field(status, 'VmRSS') * 1024, pss }]
  } catch {
    return []
  }
}

/** Of all processes, in MiB; NaN if unknown. */
export function memoryTotalMiB(memory: Memory | undefined): number {
  return memory === undefined ? Number.NaN : total(memory) / 2 ** 20
}

export function total({ server, engine }: Memory): number {
  return server + engine
}
