import { processTree, readProc } from './processes.ts'

/** Resident memory in bytes. Pages that both processes map, such as the node binary, count in both. */
export interface Memory {
  server: number
  /** The server's child processes, which are the engine. */
  engine: number
  /** Of both, with shared pages counted once (PSS): what a container is charged for. */
  proportional: number
}

/** Of the process and all its descendants; undefined without /proc. */
export function memoryOf(pid: number): Memory | undefined {
  const [own, ...engine] = processTree(pid)
  if (own === undefined) return undefined
  const sum = (file: string, field: string, pids: number[]): number =>
    pids.reduce((sum, one) => sum + bytes(readProc(`${one}/${file}`), field), 0)
  return {
    server: sum('status', 'VmRSS', [own]),
    engine: sum('status', 'VmRSS', engine),
    proportional: sum('smaps_rollup', 'Pss', [own, ...engine]),
  }
}

function bytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024
}

/** Of all processes, in MiB; NaN if unknown. */
export function memoryTotalMiB(memory: Memory | undefined): number {
  return memory === undefined ? Number.NaN : total(memory) / 2 ** 20
}

export function total({ server, engine }: Memory): number {
  return server + engine
}
