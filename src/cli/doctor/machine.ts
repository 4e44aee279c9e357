import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { glibcVersion } from '../tensorflow/platform.ts'

const CPUINFO = '/proc/cpuinfo'

export interface Machine {
  node: string
  /** By which npm picks binaries, such as `linux-x64`. */
  platform: string
  glibc: string | undefined
  processor: string
  cores: number
  /** Those of RELEVANT_FLAGS that the processor has; undefined if the system does not tell. */
  flags: string[] | undefined
  memory_mb: number
  free_memory_mb: number
}

/** Instructions that decide which engine and precision is fast; the arm64 ones come last. */
const RELEVANT_FLAGS = [
  'avx',
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx_vnni',
  'amx_int8',
  'amx_bf16',
  'asimddp',
  'i8mm',
]

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    glibc: glibcVersion(),
    processor: processors[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    flags: relevantFlags(existsSync(CPUINFO) ? readFileSync(CPUINFO, 'utf8') : ''),
    memory_mb: mebibytes(Math.min(totalmem(), process.constrainedMemory() || Infinity)),
    free_memory_mb: mebibytes(freemem()),
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

/**
 * From the text of /proc/cpuinfo: the first processor's `flags` (x86) or `Features` (arm64). Undefined where there is no
 * text.
 */
export function relevantFlags(cpuinfo: string): string[] | undefined {
  if (cpuinfo === '') return undefined
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/))
  return RELEVANT_FLAGS.filter((flag) => flags.has(flag))
}
