import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { flagsOf, type Processor, thisProcessor } from '../../engines/onnx/processor.ts'
import { glibcVersion } from '../tensorflow/platform.ts'

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
const RELEVANT_FLAGS = ['avx', 'avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8', 'asimddp', 'i8mm']

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    glibc: glibcVersion(),
    processor: processors[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    flags: relevantFlags(thisProcessor()),
    memory_mb: mebibytes(Math.min(totalmem(), process.constrainedMemory() || Infinity)),
    free_memory_mb: mebibytes(freemem()),
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

/** Undefined where the system does not tell. */
export function relevantFlags({ cpuinfo }: Processor): string[] | undefined {
  if (cpuinfo === '') return undefined
  const flags = flagsOf(cpuinfo)
  return RELEVANT_FLAGS.filter((flag) => flags.has(flag))
}
