import { existsSync, readFileSync } from 'node:fs'

const CPUINFO = '/proc/cpuinfo'

export interface Processor {
  platform: string
  arch: string
  /** The text of /proc/cpuinfo; empty where there is none. */
  cpuinfo: string
}

/**
 * Why int8 is not worth using on this processor; undefined if it is. It needs an instruction that multiplies bytes and
 * adds the products in 32 bits: VNNI on x64, the dot product on arm64. Without VNNI, x64 adds pairs of products in 16 bits,
 * which can saturate and is hardly faster than fp32.
 */
export function whyNotInt8(processor: Processor = thisProcessor()): string | undefined {
  const { platform, arch, cpuinfo } = processor
  // All of Apple's arm64 processors have the dot product.
  if (arch === 'arm64' && platform === 'darwin') return undefined
  if (cpuinfo === '') return `the processor's int8 instructions cannot be read on ${platform} ${arch}`
  const flags = flagsOf(cpuinfo)
  if (arch === 'x64') {
    return flags.has('avx512_vnni') || flags.has('avx_vnni') ? undefined : 'the processor has no VNNI'
  }
  if (arch === 'arm64') return flags.has('asimddp') ? undefined : 'the processor has no dot product (asimddp)'
  return `int8 was never measured on ${arch}`
}

/** The first processor's `flags` (x86) or `Features` (arm64). */
export function flagsOf(cpuinfo: string): Set<string> {
  return new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/))
}

export function thisProcessor(): Processor {
  const { platform, arch } = process
  return { platform, arch, cpuinfo: existsSync(CPUINFO) ? readFileSync(CPUINFO, 'utf8') : '' }
}
