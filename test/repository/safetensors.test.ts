import { describe, expect, it, vi } from 'vitest'
import { float16ToFloat32 } from '../../src/repository/float16.ts'
import { readSafetensors } from '../../src/repository/safetensors.ts'
import type { Tensor } from '../../src/resnet/state-dict.ts'
import { writeSafetensors } from '../helpers/safetensors.ts'

vi.mock('../../src/repository/float16.ts', { spy: true })

const tensors: [string, Tensor][] = [
  ['conv1.weight', { shape: [2, 1, 1, 1], data: Float32Array.of(1.5, -2) }],
  ['fc.bias', { shape: [3], data: Float32Array.of(0.25, 65504, 0) }],
]

/** A file with any header, which need not be sound. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

const f32 = (shape: unknown, offsets: unknown): object => ({ dtype: 'F32', shape, data_offsets: offsets })

describe('safetensors', () => {
  it.each(['F32', 'F16'] as const)('reads every tensor of a file in %s', (dtype) => {
    const read = readSafetensors(writeSafetensors(tensors, dtype))
    for (const [name, { shape, data }] of tensors) expect(read.take(name, shape)).toEqual(data)
    read.assertAllTaken()
  })

  it('reads names in any alphabet', () => {
    const written = writeSafetensors([['größe', { shape: [1], data: Float32Array.of(1) }]], 'F32')
    expect([...readSafetensors(written).take('größe', [1])]).toEqual([1])
  })

  it('ignores the metadata, and counters of a type that it does not read', () => {
    const header = {
      __metadata__: { format: 'pt' },
      'bn1.num_batches_tracked': { dtype: 'I64', shape: [], data_offsets: [0, 8] },
      n_averaged: { dtype: 'I64', shape: [], data_offsets: [8, 16] },
      '_orig_mod.n_averaged': { dtype: 'I64', shape: [], data_offsets: [16, 24] },
      x: f32([1], [24, 28]),
    }
    expect([...readSafetensors(file(header, new Uint8Array(28))).take('x', [1])]).toEqual([0])
  })

  it.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'shorter than its header'],
    ['a file of 7 bytes', Buffer.alloc(7), 'shorter than its header'],
    ['a header longer than the file', Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 0x7b]), 'longer than the file'],
    ['a header of 2^64 - 1 bytes', Buffer.alloc(16, 0xff), 'longer than the file'],
    ['a header of 10,000,001 bytes', file(' '.repeat(10_000_001)), 'at most 10000000 are read'],
    ['a header that is not JSON', file('{"x": '), 'not JSON'],
    ['a header of no bytes', file(''), 'not JSON'],
    ['a header that is null', file('null'), 'not an object'],
    ['a header that is an array', file('[]'), 'not an object'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => readSafetensors(bytes)).toThrow(reason)
  })

  const data = new Uint8Array(8)
  it.each<[string, unknown, string]>([
    ['no description', null, 'the header of x is malformed'],
    ['no shape', { dtype: 'F32', data_offsets: [0, 8] }, 'the header of x is malformed'],
    ['a negative size', f32([-2], [0, 8]), 'the header of x is malformed'],
    ['a size that is no number', f32(['2'], [0, 8]), 'the header of x is malformed'],
    ['one offset', f32([2], [8]), 'the header of x is malformed'],
    ['a fractional offset', f32([2], [0.5, 8.5]), 'the header of x is malformed'],
    ['an unsupported type', { dtype: 'BF16', shape: [4], data_offsets: [0, 8] }, 'x is BF16; F32 and F16'],
    ['offsets beyond the file', f32([4], [0, 16]), 'the bytes of x do not match its shape'],
    ['offsets that run backwards', f32([2], [8, 0]), 'the bytes of x do not match its shape'],
    ['fewer bytes than its shape', f32([3], [0, 8]), 'the bytes of x do not match its shape'],
    ['a shape beyond all numbers', f32(Array(40).fill(2 ** 52), [0, 8]), 'the bytes of x do not match its shape'],
    ['such a shape, times zero', f32([...Array(40).fill(2 ** 52), 0], [0, 0]), 'the bytes of x do not match its shape'],
    ['a shape of 2^64 + 2 values, which 64 bits call two', f32([2, 119537721, 77158673929], [0, 8]), 'do not match'],
    ['a name that every object has for a type', { ...f32([2], [0, 8]), dtype: 'constructor' }, 'F32 and F16'],
  ])('refuses a tensor with %s, and names it', (_, entry, reason) => {
    expect(() => readSafetensors(file({ x: entry }, data))).toThrow(reason)
  })

  it('refuses a truncated file, and names the tensor that is cut off', () => {
    const written = writeSafetensors(tensors, 'F32')
    expect(() => readSafetensors(written.subarray(0, -1))).toThrow('fc.bias')
  })

  it.each([
    ['share bytes', { x: f32([2], [0, 8]), y: f32([1], [4, 8]) }, 'y'],
    ['leave a gap', { x: f32([0], [0, 0]), y: f32([1], [4, 8]) }, 'y'],
  ])('refuses tensors that %s', (_, header, name) => {
    expect(() => readSafetensors(file(header, data))).toThrow(`the bytes of ${name} do not follow`)
  })

  it('reads no tensor of a file whose tensors share bytes: 320 of all bytes would take 640 times the file', () => {
    const bytes = new Uint8Array(2 ** 12)
    const entry = { dtype: 'F16', shape: [2 ** 11], data_offsets: [0, 2 ** 12] }
    const header = Object.fromEntries(Array.from({ length: 320 }, (_, i) => [`t${i}`, entry]))
    vi.mocked(float16ToFloat32).mockClear()
    expect(() => readSafetensors(file(header, bytes))).toThrow('the bytes of t1 do not follow')
    expect(float16ToFloat32).not.toHaveBeenCalled()
  })

  it('refuses bytes that belong to no tensor', () => {
    expect(() => readSafetensors(file({ x: f32([1], [0, 4]) }, data))).toThrow(
      'the tensors have 4 bytes, the file holds 8',
    )
  })
})
