import { existsSync, readFileSync } from 'node:fs'

const CPUINFO = '/proc/cpuinfo'

export interface Processor {
  platform: string
  arch: string
  /** The text of /proc/cpuinfo; empty where there is none. */
  cpuinfo: string
}

/**
 * Why int8 is not worth taking on this processor, or undefined where it is. It is where one instruction multiplies bytes
 * and adds the products in 32 bits: VNNI on x64, the dot product on arm64. Without VNNI, x64 adds pairs of products in 16
 * bits, which saturates, and gains little.
 */
export function whyNotInt8(processor: Processor = thisProcessor()): string | undefined {
  const { platform, arch, cpuinfo } = processor
  // Every 64-bit processor of Apple's has the dot product.
  if (arch === 'arm64' && platform === 'darwin') return undefined
  if (cpuinfo === '') return `whether the processor multiplies bytes fast cannot be read on ${platform} ${arch}`
  const flags = flagsOf(cpuinfo)
  if (arch === 'x64') {
    return flags.has('avx512_vnni') || flags.has('avx_vnni') ? undefined : 'the processor has no VNNI'
  }
  if (arch === 'arm64') return flags.has('asimddp') ? undefined : 'the processor has no dot product (asimddp)'
  return `int8 was never measured on ${arch}`
}

/** What the first processor can do: its `flags` (x86) or `Features` (arm64). */
export function flagsOf(cpuinfo: string): Set<string> {
  return new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/))
}

export function thisProcessor(): Processor {
  const { platform, arch } = process
  return { platform, arch, cpuinfo: existsSync(CPUINFO) ? readFileSync(CPUINFO, 'utf8') : '' }
}
