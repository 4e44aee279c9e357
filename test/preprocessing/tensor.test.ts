import { describe, expect, it } from 'vitest'
import {
  countBinaryTensors,
  normalisePixels,
  readBinaryTensor,
  readHalfTensor,
  readJsonTensor,
} from '../../src/preprocessing/tensor.ts'
import type { InputShape } from '../../src/repository/input-spec.ts'

const shape = (height: number, width: number, channels: InputShape['channels'] = 'grey') => ({
  height,
  width,
  channels,
})
const GREY = shape(2, 3)

const invalid = (message: string) => expect.objectContaining({ code: 'invalid_tensor', message })

describe('readJsonTensor', () => {
  it('takes [H][W] and [1][H][W]', () => {
    const rows = [
      [1, 2, 3],
      [4, 5, 6.5],
    ]
    const expected = Float32Array.of(1, 2, 3, 4, 5, 6.5)
    expect(readJsonTensor(rows, GREY)).toEqual(expected)
    expect(readJsonTensor([rows], GREY)).toEqual(expected)
  })

  it('takes a single row, with a channel and without', () => {
    expect(readJsonTensor([[1, 2]], shape(1, 2))).toEqual(Float32Array.of(1, 2))
    expect(readJsonTensor([[[1, 2]]], shape(1, 2))).toEqual(Float32Array.of(1, 2))
  })

  it('takes [3][H][W] for three channels, one after the other', () => {
    const tensor = [[[1, 2]], [[3, 4]], [[5, 6.5]]]
    expect(readJsonTensor(tensor, shape(1, 2, 'rgb'))).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6.5))
    expect(readJsonTensor(tensor, shape(1, 2, 'bgr'))).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6.5))
  })

  it.each<[string, unknown]>([
    ['one channel', [[1, 2]]],
    ['one channel in brackets', [[[1, 2]]]],
    ['two channels', [[[1, 2]], [[3, 4]]]],
    ['four channels', [[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]],
    [
      'channels last',
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
    ],
    ['a channel that is none', [[[1, 2]], [[3, 4]], null]],
    [
      'a channel with a row too many',
      [
        [[1, 2]],
        [[3, 4]],
        [
          [5, 6],
          [7, 8],
        ],
      ],
    ],
  ])('refuses %s where there must be three', (_, value) => {
    expect(() => readJsonTensor(value, shape(1, 2, 'rgb'))).toThrow(invalid('the tensor must have shape [3][1][2]'))
  })

  it('says in which channel a value is none', () => {
    const tensor = [[[1, 2]], [[3, 'x']], [[5, 6]]]
    expect(() => readJsonTensor(tensor, shape(1, 2, 'rgb'))).toThrow(invalid('the value at [1][0][1] is not a number'))
  })

  const SHAPE = 'the tensor must have shape [2][3] or [1][2][3]'
  it.each<[string, unknown, string]>([
    ['no rows', [], SHAPE],
    ['a row too few', [[1, 2, 3]], SHAPE],
    [
      'a row too many',
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
      SHAPE,
    ],
    [
      'a short row',
      [
        [1, 2, 3],
        [1, 2],
      ],
      SHAPE,
    ],
    [
      'a long row',
      [
        [1, 2, 3],
        [1, 2, 3, 4],
      ],
      SHAPE,
    ],
    [
      'two channels',
      [
        [
          [1, 2, 3],
          [1, 2, 3],
        ],
        [
          [1, 2, 3],
          [1, 2, 3],
        ],
      ],
      SHAPE,
    ],
    [
      'two batch dimensions',
      [
        [
          [
            [1, 2, 3],
            [1, 2, 3],
          ],
        ],
      ],
      SHAPE,
    ],
    ['flat numbers', [1, 2, 3, 4, 5, 6], SHAPE],
    ['a row that is an object', [[1, 2, 3], { length: 3 }], SHAPE],
    ['a row that is null', [[1, 2, 3], null], SHAPE],
  ])('refuses %s', (_, value, message) => {
    expect(() => readJsonTensor(value, GREY)).toThrow(invalid(message))
  })

  it.each([undefined, null, 'x', 7, {}, { 0: [1] }])('refuses %j, which is no array', (value) => {
    expect(() => readJsonTensor(value, GREY)).toThrow(invalid('the tensor is not an array'))
  })

  it.each([null, '7', true, [1], {}, undefined])('refuses %j among the numbers, and says where', (value) => {
    const rows = [
      [1, 2, 3],
      [4, value, 6],
    ]
    expect(() => readJsonTensor(rows, GREY)).toThrow(invalid('the value at [1][1] is not a number'))
  })

  it.each([1e300, -1e39, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d, which no float32 holds', (value) => {
    expect(() => readJsonTensor([[value]], shape(1, 1))).toThrow(
      invalid('the tensor holds a number that is not finite'),
    )
  })

  it('refuses numbers that would overflow inside a network, and takes any that a picture could have', () => {
    expect([...readJsonTensor([[1e9, -1e9]], shape(1, 2))]).toEqual([1e9, -1e9])
    for (const value of [1.1e9, -1e38]) {
      expect(() => readJsonTensor([[value, 0]], shape(1, 2))).toThrow(
        invalid('the tensor holds a number beyond 1000000000'),
      )
    }
  })
})

describe('binary tensors', () => {
  it('are counted by their bytes', () => {
    expect(countBinaryTensors(new Uint8Array(48), GREY)).toBe(2)
  })

  it.each([1, 23, 25, 47])('of %i bytes are no whole number of inputs', (bytes) => {
    expect(() => countBinaryTensors(new Uint8Array(bytes), GREY)).toThrow(
      invalid(`the body has ${bytes} bytes; it must be N x 1 x 2 x 3 float32, a multiple of 24 bytes`),
    )
  })

  it('of three channels are three times as large', () => {
    expect(countBinaryTensors(new Uint8Array(144), shape(2, 3, 'rgb'))).toBe(2)
    expect(() => countBinaryTensors(new Uint8Array(24), shape(2, 3, 'rgb'))).toThrow(
      invalid('the body has 24 bytes; it must be N x 3 x 2 x 3 float32, a multiple of 72 bytes'),
    )
  })

  it('of no bytes are a missing input', () => {
    expect(() => countBinaryTensors(new Uint8Array(0), GREY)).toThrow(
      expect.objectContaining({ code: 'missing_input' }),
    )
  })

  it('are read as little-endian, from any place in memory, and copied', () => {
    const memory = new Uint8Array(9)
    new DataView(memory.buffer).setFloat32(1, 1.5, true)
    new DataView(memory.buffer).setFloat32(5, -2, true)
    const values = readBinaryTensor(memory.subarray(1))
    memory.fill(0)
    expect([...values]).toEqual([1.5, -2])
  })

  it.each([
    ['a NaN', [1, Number.NaN]],
    ['an infinity', [Number.POSITIVE_INFINITY, 1]],
    ['two infinities that cancel out', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ])('holding %s are refused', (_, values) => {
    const bytes = new Uint8Array(Float32Array.from(values).buffer)
    expect(() => readBinaryTensor(bytes)).toThrow(invalid('the tensor holds a number that is not finite'))
  })
})

describe('float16', () => {
  const half = Uint8Array.of(0x00, 0x38, 0x00, 0xc0, 0xff, 0x7b)

  it('is read at any offset', () => {
    const expected = Float32Array.of(0.5, -2, 65504)
    expect(readHalfTensor(half)).toEqual(expected)
    expect(readHalfTensor(Uint8Array.of(0, ...half).subarray(1))).toEqual(expected)
  })

  it('is refused where it is not finite', () => {
    expect(() => readHalfTensor(Uint8Array.of(0x00, 0x7c))).toThrow('not finite')
  })
})

it('normalises pixels by channel', () => {
  const pixels = Uint8Array.of(0, 255, 0, 51, 255, 0)
  const spec = { mean: [0.5, 0, 1], std: [0.5, 1, 2] }
  expect(normalisePixels(pixels, spec)).toEqual(Float32Array.of(-1, 1, 0, 0.2, 0, -0.5))
})
