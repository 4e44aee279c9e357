import { describe, expect, it } from 'vitest'
import { whyNotInt8 } from '../../../src/engines/onnx/processor.ts'

const x64 = (flags: string) => ({ platform: 'linux', arch: 'x64', cpuinfo: `model name\t: any\nflags\t\t: ${flags}\n` })
const arm = (features: string) => ({ platform: 'linux', arch: 'arm64', cpuinfo: `Features\t: ${features}\n` })

describe('int8 is worth taking', () => {
  it.each([
    ['on x64 with AVX-512 VNNI', x64('fpu avx2 avx512_vnni avx512_bitalg')],
    ['on x64 with AVX VNNI', x64('fpu avx2 avx_vnni')],
    ['on arm64 with the dot product', arm('fp asimd asimddp')],
    ["on Apple's arm64", { platform: 'darwin', arch: 'arm64', cpuinfo: '' }],
  ])('%s', (_, processor) => {
    expect(whyNotInt8(processor)).toBeUndefined()
  })
})

describe('int8 is passed over', () => {
  it.each([
    ['on x64 without VNNI', x64('fpu avx2 avx512f avx512_vnni_not'), 'the processor has no VNNI'],
    ['on arm64 without the dot product', arm('fp asimd'), 'the processor has no dot product (asimddp)'],
    [
      'where nothing tells what the processor has',
      { platform: 'win32', arch: 'x64', cpuinfo: '' },
      "the processor's int8 instructions cannot be read on win32 x64",
    ],
    [
      'on an architecture that nobody has measured',
      { platform: 'linux', arch: 'riscv64', cpuinfo: 'isa\t: rv64\n' },
      'int8 was never measured on riscv64',
    ],
  ])('%s, with the reason', (_, processor, reason) => {
    expect(whyNotInt8(processor)).toBe(reason)
  })
})
