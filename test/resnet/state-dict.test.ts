import { describe, expect, it } from 'vitest'
import { StateDict, type Tensor } from '../../src/resnet/state-dict.ts'

const tensor = (...values: number[]): Tensor => ({ shape: [values.length], data: Float32Array.from(values) })

describe('StateDict', () => {
  it('gives a tensor of the right name and shape', () => {
    expect([...new StateDict([['fc.bias', tensor(1, 2)]]).take('fc.bias', [2])]).toEqual([1, 2])
  })

  it.each([
    ['module.fc.bias', 'fc.bias'],
    ['layer2.0.downsample.0.weight', 'layer2.0.shortcut.0.weight'],
    ['layer2.0.downsample.1.running_var', 'layer2.0.shortcut.1.running_var'],
    ['module.layer2.0.downsample.1.bias', 'layer2.0.shortcut.1.bias'],
    ['_orig_mod.fc.bias', 'fc.bias'],
    ['_orig_mod.module.fc.bias', 'fc.bias'],
    ['module._orig_mod.fc.bias', 'fc.bias'],
    ['module.module.fc.bias', 'fc.bias'],
    ['_orig_mod.layer2.0.downsample.0.weight', 'layer2.0.shortcut.0.weight'],
    ['layer2._orig_mod.0.downsample.0.weight', 'layer2.0.shortcut.0.weight'],
    ['module.layer2.0._orig_mod.conv1.weight', 'layer2.0.conv1.weight'],
    ['layer2.module.weight', 'layer2.module.weight'],
  ])('takes %s for %s', (stored, name) => {
    expect([...new StateDict([[stored, tensor(5)]]).take(name, [1])]).toEqual([5])
  })

  it.each(['bn1.num_batches_tracked', 'n_averaged', '_orig_mod.n_averaged', 'module.bn1.num_batches_tracked'])(
    'ignores what training counts: %s',
    (name) => {
      new StateDict([[name, { shape: [], data: Float32Array.of(7) }]]).assertAllTaken()
    },
  )

  it('names a tensor that is missing', () => {
    expect(() => new StateDict([]).take('fc.bias', [2])).toThrow('fc.bias is missing')
  })

  it.each([[[3]], [[2, 1]], [[]]])('names a tensor whose shape is not %j', (shape) => {
    const weights = new StateDict([['fc.bias', tensor(1, 2)]])
    expect(() => weights.take('fc.bias', shape)).toThrow(`fc.bias has shape [2], the architecture needs [${shape}]`)
  })

  it('names the first tensor that nothing has asked for', () => {
    const weights = new StateDict([
      ['fc.bias', tensor(1)],
      ['extra.weight', tensor(1)],
    ])
    weights.take('fc.bias', [1])
    expect(() => weights.assertAllTaken()).toThrow('1 tensors have no place in the architecture, first extra.weight')
  })

  it('names a tensor that is there twice under two spellings', () => {
    const twice: [string, Tensor][] = [
      ['module.fc.bias', tensor(1)],
      ['fc.bias', tensor(2)],
    ]
    expect(() => new StateDict(twice)).toThrow('two tensors are called fc.bias')
  })
})
