import { describe, expect, it } from 'vitest'
import { openBytes, openPickle } from '../helpers/checkpoints.ts'
import * as op from '../helpers/pickle.ts'

const values = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)
const weight = op.tensor({ size: [4], stride: [1] })
const orderedDict = op.global('collections', 'OrderedDict')

const places = async (root: string | Uint8Array): Promise<string[]> =>
  (await openPickle(op.pickle(root), { 0: values })).stateDicts.map(
    ({ at, tensors }) => `${at}: ${[...tensors.keys()]}`,
  )

describe('a state_dict', () => {
  it.each<[string, string | Uint8Array, string[]]>([
    ['a dict', op.dict({ a: weight, b: weight }), [': a,b']],
    ['an OrderedDict of Python 2', op.call(orderedDict, op.list(op.tuple(op.text('a'), weight))), [': a']],
    [
      'a dict of any class',
      op.join(op.call(op.global('omegaconf', 'DictConfig')), op.text('a'), weight, op.SETITEM),
      [': a'],
    ],
    ['a dict in a dict', op.dict({ model: op.dict({ encoder: op.dict({ a: weight }) }) }), ['model.encoder: a']],
    ['a dict in a list', op.list(op.dict({ a: weight }), op.dict({ b: weight })), ['0: a', '1: b']],
    [
      'an attribute of an object',
      op.join(op.call(op.global('a', 'Trainer')), op.dict({ net: op.dict({ a: weight }) }), op.BUILD),
      ['net: a'],
    ],
    [
      'what the file holds once, at its first place',
      op.join(op.dict({ a: weight }), 'q\0', '0', op.dict({ model: 'h\0', net: 'h\0' })),
      ['model: a'],
    ],
    [
      'no dict under numbers, as an optimizer has',
      op.join(op.DICT, op.int(0), op.dict({ exp_avg: weight }), op.SETITEM),
      [],
    ],
    ['no dict under a text', op.dict({ ['text '.repeat(300)]: op.dict({ a: weight }) }), []],
    ['no tensor alone', weight, []],
  ])('is %s', async (_, root, expected) => {
    expect(await places(root)).toEqual(expected)
  })

  it('is not what an optimizer keeps under the names of the parameters', async () => {
    const optimizer = op.dict({ state: op.dict({ fc: op.dict({ exp_avg: weight }) }), param_groups: op.LIST })
    const { stateDicts, leftOver } = await openPickle(op.pickle(op.dict({ optimizer, model: op.dict({ weight }) })))
    expect(stateDicts.map(({ at }) => at)).toEqual(['model'])
    expect(leftOver).toEqual(['optimizer (dict of 2)'])
  })

  it('has what a file says beside it in a hundred lines at most', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`n${n}`, op.int(n)]))
    const { leftOver } = await openPickle(op.pickle(op.dict(many)))
    expect([leftOver.length, leftOver[99], leftOver[100]]).toEqual([101, 'n99: 99', '...'])
  })
})

describe('the legacy form', () => {
  const magic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')
  const storage = (view: string | Uint8Array): Buffer =>
    op.join(
      op.tuple(op.text('storage'), op.global('torch', 'FloatStorage'), op.text('7'), op.text('cpu'), op.int(4), view),
      op.PERSISTENT,
    )
  const file = (
    root: string | Uint8Array,
    keys: string | Uint8Array = op.list(op.text('7')),
    magicNumber = magic,
  ): Buffer => {
    const count = Buffer.from('0400000000000000', 'hex')
    return Buffer.concat(
      [magicNumber, op.int(1001), op.DICT, root, keys]
        .map((each) => op.pickle(each))
        .concat([count, Buffer.from(values)]),
    )
  }
  const model = (view: string | Uint8Array): Buffer =>
    op.dict({
      a: op.call(
        op.global('torch._utils', '_rebuild_tensor'),
        storage(view),
        op.int(0),
        op.tuple(op.int(2)),
        op.tuple(op.int(1)),
      ),
    })

  it('has views of storages in very old files', async () => {
    const { stateDicts } = await openBytes(file(model(op.tuple(op.text('view'), op.int(1), op.int(2)))))
    expect([...(stateDicts[0]?.tensors.get('a')?.read() ?? [])]).toEqual([2, 3])
  })

  it('whose view reaches beyond its storage has that tensor unreadable', async () => {
    const { stateDicts } = await openBytes(file(model(op.tuple(op.text('view'), op.int(3), op.int(2)))))
    expect(stateDicts[0]?.unreadable.get('a')).toContain('of which the file holds 16')
  })

  it.each([
    ['a storage that nobody refers to', op.list(op.text('8'))],
    ['a storage twice', op.list(op.text('7'), op.text('7'))],
    ['a number for a storage', op.list(op.int(7))],
  ])('that lists %s is refused', async (_, keys) => {
    await expect(openBytes(file(model(op.NONE), keys))).rejects.toThrow('its list of storages is malformed')
  })
})
