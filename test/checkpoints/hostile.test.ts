import { copyFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/checkpoints/open-checkpoint.ts'
import { CHECKPOINTS, only, open, openBytes, openPickle, torchZip } from '../helpers/checkpoints.ts'
import * as op from '../helpers/pickle.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { zip } from '../helpers/zip.ts'

const values = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)
const weight = op.tensor({ size: [4], stride: [1] })

describe('a hostile pickle', () => {
  const proof = join(tmpdir(), `resnet-serve-proof-${process.pid}`)

  it.each([
    ['os.system', op.call(op.global('os', 'system'), op.text(`touch ${proof}`))],
    ['posix.system', op.call(op.global('posix', 'system'), op.text(`touch ${proof}`))],
    ['builtins.eval', op.call(op.global('builtins', 'eval'), op.text(`open(${JSON.stringify(proof)}, 'w')`))],
    ['subprocess.Popen', op.call(op.global('subprocess', 'Popen'), op.text(`touch ${proof}`))],
    ['process.exit', op.call(op.global('process', 'exit'), op.int(1))],
    ['torch.storage._load_from_bytes', op.call(op.global('torch.storage', '_load_from_bytes'), op.text('x'))],
  ])('that calls %s calls nothing, and its other tensors are read', async (name, call) => {
    const { tensors, unreadable } = only(await openPickle(op.pickle(op.dict({ weight, evil: call })), { 0: values }))
    expect([...(tensors.get('weight')?.read() ?? [])]).toEqual([1, 2, 3, 4])
    expect(unreadable.get('evil')).toMatch(new RegExp(`^is an? ${name}$`))
    expect(existsSync(proof)).toBe(false)
  })

  it('that is nothing but a call has no state_dict', async () => {
    const { stateDicts } = await openPickle(op.pickle(op.call(op.global('os', 'system'), op.text('true'))))
    expect(stateDicts).toEqual([])
  })

  it('whose calls call what calls give is read', async () => {
    const chain = op.call(op.call(op.global('builtins', 'getattr'), op.global('os', 'system')), op.text('true'))
    const { unreadable } = only(await openPickle(op.pickle(op.dict({ weight, chain })), { 0: values }))
    expect(unreadable.get('chain')).toContain('a function that another one gives')
  })

  it('of lists of ten times the list before it (a billion laughs) is read in time', async () => {
    // Thirty levels: 10^30 values, were they counted out.
    const level = (n: number): string => `]q${String.fromCharCode(n)}(${`h${String.fromCharCode(n - 1)}`.repeat(10)}e`
    const laughs = ['(', `]q${String.fromCharCode(0)}`, ...Array.from({ length: 30 }, (_, n) => level(n + 1)), 't']
    const { tensors } = only(await openPickle(op.pickle(op.dict({ weight, laughs: laughs.join('') })), { 0: values }))
    expect(tensors.size).toBe(1)
  })

  const object = (state: string | Uint8Array): Buffer =>
    Buffer.concat([op.call(op.global('a', 'Module')), Buffer.from(state as string, 'latin1'), Buffer.from(op.BUILD)])
  const module = (children: string | Uint8Array): Buffer =>
    object(op.dict({ _parameters: op.DICT, _modules: children }))

  it('of modules that hold the module before them twice is refused', async () => {
    let tree = module(op.dict({ x: weight }))
    for (let n = 0; n < 30; n++) {
      tree = Buffer.concat([
        tree,
        Buffer.from(`q${String.fromCharCode(n)}0`, 'latin1'),
        module(op.dict({ a: `h${String.fromCharCode(n)}`, b: `h${String.fromCharCode(n)}` })),
      ])
    }
    await expect(openPickle(op.pickle(tree))).rejects.toThrow('hold more than 20000 tensors and modules')
  })

  it('of a module that holds itself is refused', async () => {
    const self = Buffer.concat([
      Buffer.from(op.call(op.global('a', 'Module'))),
      Buffer.from('q\0'),
      op.dict({ _parameters: op.DICT, _modules: op.dict({ me: 'h\0' }) }),
      Buffer.from(op.BUILD),
    ])
    await expect(openPickle(op.pickle(self))).rejects.toThrow('nest too deep')
  })

  it('of a dict that holds itself is read', async () => {
    const dict = [op.DICT, 'q\0', op.text('me'), 'h\0', op.SETITEM, op.text('weight'), weight, op.SETITEM]
    expect((await openPickle(op.pickle(...dict), { 0: values })).stateDicts.map(({ at }) => at)).toEqual([''])
  })

  it('of calls in calls, deeper than Python nests them, is refused', async () => {
    const calls = op.pickle(op.global('a', 'b').repeat(10_000), op.NONE, `${op.TUPLE1}${op.REDUCE}`.repeat(10_000))
    await expect(openPickle(calls)).rejects.toThrow('nests deeper than 1000 levels')
  })

  it('of lists in lists, deeper than anybody names, is read as far as there are names', async () => {
    const lists = op.pickle(op.LIST.repeat(100_000), op.APPEND.repeat(99_999))
    expect((await openPickle(lists)).stateDicts).toEqual([])
  })

  it('of more state_dicts than anybody saves is refused', async () => {
    const dicts = op.pickle(op.LIST, op.MARK, ...Array.from({ length: 1001 }, () => op.dict({ weight })), op.APPENDS)
    await expect(openPickle(dicts, { 0: values })).rejects.toThrow('more than 1000 state_dicts')
  })

  it('whose names would move the cursor of a terminal shows none of it', async () => {
    const thing = op.call(op.global('a', '\x1b[2J\x07evil'))
    const { leftOver } = await openPickle(op.pickle(op.dict({ 'x\x1b]0;y': thing, z: op.text('\r\n\u202e') })))
    expect(leftOver).toEqual(['x?]0;y (a a.?[2J?evil)'.replace('a a.', 'a.'), 'z: ???'])
  })
})

describe('a tensor', () => {
  const read = async (...[spec]: Parameters<typeof op.tensor>): Promise<string | number[]> => {
    const { tensors, unreadable } = only(await openPickle(op.pickle(op.dict({ x: op.tensor(spec) })), { 0: values }))
    return unreadable.get('x') ?? [...(tensors.get('x')?.read() ?? [])]
  }

  it.each<[string, op.FloatTensor, number[]]>([
    ['of all values', { size: [2, 2], stride: [2, 1] }, [1, 2, 3, 4]],
    ['of no dimensions, at the last value', { offset: 3, size: [], stride: [] }, [4]],
    ['that is transposed', { size: [2, 2], stride: [1, 2] }, [1, 3, 2, 4]],
    ['that repeats a value', { offset: 1, size: [3], stride: [0] }, [2, 2, 2]],
    ['whose windows overlap', { size: [3, 2], stride: [1, 1] }, [1, 2, 2, 3, 3, 4]],
    ['of no values, wherever it lies', { key: 'none', offset: 99, size: [5, 0], stride: [9, 9] }, []],
  ])('%s is read', async (_, spec, expected) => {
    expect(await read(spec)).toEqual(expected)
  })

  it.each<[string, op.FloatTensor, string]>([
    ['beyond its storage by its size', { size: [5], stride: [1] }, 'reaches beyond its storage'],
    ['beyond its storage by its offset', { offset: 1, size: [4], stride: [1] }, 'reaches beyond its storage'],
    ['beyond its storage by its stride', { size: [2], stride: [4] }, 'reaches beyond its storage'],
    [
      'of a storage that is larger than its record',
      { elements: 5, size: [4], stride: [1] },
      'has a storage of 20 bytes, of which the file holds 16',
    ],
    ['of a storage that the file lacks', { key: '1', size: [4], stride: [1] }, 'has no values in the file'],
    ['of a negative size', { size: [-1], stride: [1] }, 'is a malformed tensor'],
    ['of a negative stride', { offset: 3, size: [4], stride: [-1] }, 'is a malformed tensor'],
    ['of a negative offset', { offset: -1, size: [1], stride: [1] }, 'is a malformed tensor'],
    ['of more sizes than strides', { size: [2, 2], stride: [1] }, 'is a malformed tensor'],
    ['of 65 dimensions', { size: Array(65).fill(1), stride: Array(65).fill(1) }, 'is a malformed tensor'],
    ['whose sizes overflow', { size: Array(60).fill(2 ** 30), stride: Array(60).fill(0) }, 'would take'],
    ['that repeats one value a billion times', { size: [2 ** 30], stride: [0] }, 'would take 4294967296 bytes'],
  ])('%s is unreadable', async (_, spec, reason) => {
    expect(await read(spec)).toContain(reason)
  })

  it('that is one of a thousand views of the same values is unreadable once they are many times the file', async () => {
    const large = new Uint8Array(2 ** 20)
    const view = op.tensor({ elements: 2 ** 18, size: [2 ** 18], stride: [1] })
    const views = op.dict(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`view${n}`, view])))
    const { tensors, unreadable } = only(await openPickle(op.pickle(views), { 0: large }))
    expect([tensors.size, unreadable.size]).toEqual([9, 91])
  })

  it('in a record that is deflated is unreadable: torch.save deflates nothing', async () => {
    const deflated = zip([
      { name: 'm/data.pkl', content: op.pickle(op.dict({ weight })) },
      { name: 'm/data/0', content: values, deflate: true },
    ])
    expect(only(await openBytes(deflated)).unreadable.get('weight')).toContain('compressed')
  })
})

describe('a zip', () => {
  const content = op.pickle(op.dict({ weight }))

  it('whose pickle is deflated is read, as other programs pack it', async () => {
    const packed = zip([
      { name: 'm/data.pkl', content, deflate: true },
      { name: 'm/data/0', content: values },
    ])
    expect([
      ...(only(await openBytes(packed))
        .tensors.get('weight')
        ?.read() ?? []),
    ]).toEqual([1, 2, 3, 4])
  })

  it.each<[string, Buffer, string]>([
    [
      'that inflates a thousandfold',
      zip([{ name: 'm/data.pkl', content: Buffer.alloc(2 ** 22), deflate: true }]),
      'inflates from',
    ],
    [
      'that inflates to more than it says',
      zip([{ name: 'm/data.pkl', content: Buffer.alloc(5000), deflate: true, claims: 100 }]),
      'm/data.pkl: does not inflate to 100 bytes',
    ],
    [
      'of a pickle of 65 MB',
      zip([{ name: 'm/data.pkl', content: Buffer.alloc(65 * 2 ** 20) }]),
      'at most 67108864 are read',
    ],
    [
      'with a name that leads out of a folder',
      torchZip(content, { '../../../../etc/cron.d/x': values }),
      'invalid relative path',
    ],
    ['with an absolute name', torchZip(content, {}, [{ name: '/etc/passwd', content: values }]), 'absolute path'],
    [
      'of two checkpoints',
      torchZip(content, {}, [{ name: 'other/data.pkl', content }]),
      'two checkpoints: model/data.pkl, other/data.pkl',
    ],
    [
      'of two pickles of one name',
      torchZip(content, {}, [{ name: 'model/data.pkl', content }]),
      'two files are called model/data.pkl',
    ],
    [
      'of two storages of one name',
      torchZip(content, { 0: values }, [{ name: 'model/data/0', content: values }]),
      'two files are called model/data/0',
    ],
    [
      'of a third byte order',
      torchZip(content, { 0: values }, [{ name: 'model/byteorder', content: Buffer.from('middle') }]),
      'neither little nor big',
    ],
    [
      'whose record is longer than the file',
      zip([{ name: 'm/data.pkl', content, claims: 2 ** 31 }]),
      'overflows file bounds',
    ],
    ['whose directory lies beyond all files', beyondAllFiles(), 'cut off'],
  ])('%s is refused', async (_, bytes, reason) => {
    await expect(openBytes(bytes)).rejects.toThrow(reason)
  })
})

/** The places in a ZIP64 directory have 64 bits. */
function beyondAllFiles(): Buffer {
  const end64 = Buffer.alloc(56)
  end64.writeUInt32LE(0x06064b50)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(2n ** 64n - 16n, 8)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  return Buffer.concat([Buffer.from('PK\x03\x04'), end64, locator, end])
}

describe('a file that is cut off', () => {
  it.each(['legacy.pth', 'module-legacy.pth', 'state-dict.pt', 'dtypes.safetensors'])(
    '%s is refused, wherever it is cut',
    async (name) => {
      const path = join(temporaryFolder(), 'model.pt')
      copyFileSync(join(CHECKPOINTS, name), path)
      await open(path)
      for (let bytes = readFileSync(path).length - 1; bytes >= 0; bytes--) {
        truncateSync(path, bytes)
        const message = await openCheckpoint(path).then(
          () => 'opened',
          (error: Error) => error.message,
        )
        expect(message, `${bytes} bytes`).toContain('model.pt: ')
      }
    },
  )
})
