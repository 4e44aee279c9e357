import { describe, expect, it } from 'vitest'
import { SampleSet } from '../../src/quantization/sample-set.ts'
import type { DrawingSpec, PhotographSpec } from '../../src/repository/input-spec.ts'
import { floats, greyPng } from '../helpers/pictures.ts'
import { writeSafetensors } from '../helpers/safetensors.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** Inputs of two pixels side by side. */
const SPEC: DrawingSpec = {
  height: 1,
  width: 2,
  channels: 'grey',
  mean: [0.5],
  std: [0.5],
  fit: 'fill',
  invert: 'never',
  inkSize: 1,
}

async function read(set: SampleSet, batchSize = 100) {
  const rows: { values: number[]; label: string | undefined }[] = []
  for await (const { input, labels, size } of set.batches(batchSize)) {
    expect(input).toHaveLength(2 * size)
    for (let i = 0; i < size; i++) rows.push({ values: [...input.slice(2 * i, 2 * i + 2)], label: labels[i] })
  }
  return rows
}

describe('SampleSet', () => {
  it('reads images as the server does, raw float32 and safetensors, by the order of their paths', async () => {
    const data = Float32Array.of(7, 8, 9, 10)
    const root = temporaryFolder({
      'a.f32': floats(1, 2, 3, 4),
      'b.png': await greyPng(255, 2, 1),
      'c.safetensors': writeSafetensors([['input', { shape: [2, 1, 1, 2], data }]], 'F32'),
    })
    const rows = await read(SampleSet.open(root, SPEC))
    expect(rows.map(({ values }) => values)).toEqual([
      [1, 2],
      [3, 4],
      [1, 1],
      [7, 8],
      [9, 10],
    ])
  })

  it('reads photographs and tensors of three channels', async () => {
    const { fit, invert, inkSize, ...shape } = SPEC
    const how = { resize: [1, 2], interpolation: 'bilinear', orientation: 'ignore', alpha: 'drop' } as const
    const spec: PhotographSpec = { ...shape, ...how, resize: [1, 2], channels: 'rgb', mean: [0, 0, 1], std: [1, 1, 1] }
    const data = Float32Array.of(1, 2, 3, 4, 5, 6)
    const root = temporaryFolder({
      'a.f32': floats(6, 5, 4, 3, 2, 1),
      'b.png': await greyPng(255, 2, 1),
      'c.safetensors': writeSafetensors([['input', { shape: [1, 3, 1, 2], data }]], 'F32'),
    })
    const batches: number[][] = []
    for await (const { input } of SampleSet.open(root, spec).batches(1)) batches.push([...input])
    expect(batches).toEqual([[6, 5, 4, 3, 2, 1], [1, 1, 1, 1, 0, 0], [...data]])
    expect(() => SampleSet.open(temporaryFolder({ 'grey.f32': floats(1, 2) }), spec)).toThrow(
      /grey\.f32: .*N x 3 x 1 x 2/,
    )
  })

  it('takes the folder below the root for the class, and nothing for files beside them', async () => {
    const root = temporaryFolder({
      '7/deep/x.f32': floats(1, 1),
      '3/y.f32': floats(2, 2, 3, 3),
      'z.f32': floats(4, 4),
      '.DS_Store': 'not looked at',
    })
    const rows = await read(SampleSet.open(root, SPEC))
    expect(rows.map(({ label, values }) => [label, values[0]])).toEqual([
      ['3', 2],
      ['3', 3],
      ['7', 1],
      [undefined, 4],
    ])
  })

  it('gives the same rows whatever the size of the batches', async () => {
    const root = temporaryFolder({ 'a.f32': floats(1, 2, 3, 4, 5, 6), 'b.f32': floats(7, 8) })
    const set = SampleSet.open(root, SPEC)
    const rows = await read(set)
    for (const batchSize of [1, 2, 3]) expect(await read(set, batchSize)).toEqual(rows)
  })

  it('spreads a choice over all folders', async () => {
    const root = temporaryFolder({ 'a/x.f32': floats(...Array(40).fill(1)), 'b/x.f32': floats(...Array(40).fill(2)) })
    const chosen = SampleSet.open(root, SPEC).spread(10)
    const labels = (await read(chosen)).map(({ label }) => label)
    expect(labels).toEqual([...Array(5).fill('a'), ...Array(5).fill('b')])
    expect(SampleSet.open(root, SPEC).spread(1000).size).toBe(40)
  })

  it('holds out a quarter, which the rest does not have', async () => {
    const root = temporaryFolder({ 'a.f32': floats(...Array.from({ length: 16 }, (_, i) => i)) })
    const { kept, heldOut } = SampleSet.open(root, SPEC).split()
    const [keptRows, heldOutRows] = [await read(kept), await read(heldOut)]
    expect([keptRows.length, heldOutRows.length]).toEqual([6, 2])
    expect(keptRows.filter((row) => heldOutRows.some((other) => other.values[0] === row.values[0]))).toEqual([])
  })

  it('names the folder that is empty and the file that cannot be used', async () => {
    const empty = temporaryFolder()
    expect(() => SampleSet.open(empty, SPEC)).toThrow(`${empty} holds no images`)
    expect(() => SampleSet.open(temporaryFolder({ 'odd.f32': floats(1, 2, 3) }), SPEC)).toThrow(/odd\.f32: .*12 bytes/)
    expect(() => SampleSet.open(temporaryFolder({ 'nan.f32': floats(1, Number.NaN) }), SPEC)).toThrow(/nan\.f32/)
    expect(() => SampleSet.open(temporaryFolder({ 'x.safetensors': 'x' }), SPEC)).toThrow(/x\.safetensors/)
    const text = SampleSet.open(temporaryFolder({ 'notes.txt': 'hello' }), SPEC)
    await expect(read(text)).rejects.toThrow(/notes\.txt: the bytes are not an image/)
  })
})
