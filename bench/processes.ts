import { readdirSync, readFileSync } from 'node:fs'

/** The process and all its descendants, itself first. Empty without /proc or when it has ended. */
export function processTree(root: number): number[] {
  const parents = readParents()
  const below = (pid: number): number[] => [
    pid,
    ...[...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => below(child)),
  ]
  return parents.has(root) ? below(root) : []
}

/** The parent of each process of the machine. */
function readParents(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const pid of namesIn('/proc').map(Number).filter(Number.isInteger)) {
    // "7 (name) S 1 ...": the name may itself hold brackets and spaces.
    const parent = /.*\) \S (\d+)/s.exec(readProc(`${pid}/stat`))?.[1]
    if (parent !== undefined) parents.set(pid, Number(parent))
  }
  return parents
}

/** Empty for a process or thread that has ended meanwhile, and without /proc. */
export function readProc(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, 'utf8')
  } catch {
    return ''
  }
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
