import { copyFileSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHECKPOINTS, EXPECTED, only, open, openBytes, summary } from '../helpers/checkpoints.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { zip } from '../helpers/zip.ts'

const fixture = (name: string): string => join(CHECKPOINTS, name)

describe('what the libraries wrote is read as they read it', () => {
  const places = Object.entries(EXPECTED).flatMap(([file, byPlace]) =>
    Object.entries(byPlace).map(([at, tensors]) => ({ file, at, tensors })),
  )

  it.each(places)('$file at "$at": every name, type, shape and value', async ({ file, at, tensors }) => {
    const { stateDicts } = await open(fixture(file))
    const stateDict = stateDicts.find((each) => each.at === at)
    const read = [...(stateDict?.tensors ?? [])].map(([name, tensor]) => [name, summary(tensor)])
    expect(Object.fromEntries(read)).toEqual(tensors)
  })

  it.each([
    ['state-dict.pt', 'PyTorch zip'],
    ['legacy.pth', 'PyTorch legacy'],
    ['lightning.ckpt', 'PyTorch zip'],
    ['dtypes.safetensors', 'safetensors'],
    ['transformers', 'sharded safetensors'],
    ['sharded', 'sharded PyTorch'],
  ])('%s is %s, in the order of the file', async (file, format) => {
    const checkpoint = await open(fixture(file))
    expect(checkpoint.format).toBe(format)
    if (format.startsWith('PyTorch')) {
      const [at, tensors] = Object.entries(EXPECTED[file] ?? {})[0] ?? ['', {}]
      const stateDict = checkpoint.stateDicts.find((each) => each.at === at)
      expect([...(stateDict?.tensors.keys() ?? [])]).toEqual(Object.keys(tensors))
    }
  })

  it.each(['training.pt', 'legacy-training.pth'])(
    '%s: finds state_dicts, no optimizer, and says what else there is',
    async (file) => {
      const { stateDicts, leftOver } = await open(fixture(file))
      expect(stateDicts.map(({ at }) => at)).toEqual(['', 'state_dict', 'state_dict_ema', 'models.0'])
      expect(leftOver).toEqual([
        'epoch: 12',
        'arch: tiny',
        'optimizer (dict of 2)',
        'args (argparse.Namespace)',
        'scaler: None',
      ])
      expect(stateDicts[0]?.unreadable.get('args')).toBe('is an argparse.Namespace')
    },
  )

  it.each([
    ['module.pt', ''],
    ['module-legacy.pth', ''],
    ['graph-module.pt', ''],
    ['protocol-4.pt', 'module'],
  ])('%s: a module tells what its layers are made with', async (file, path) => {
    const { modules } = only(await open(fixture(file)))
    const at = (name: string): unknown => modules?.get([path, name].filter(Boolean).join('.'))
    expect(at('conv1')).toMatchObject({
      class: 'torch.nn.modules.conv.Conv2d',
      attributes: { stride: [2, 2], padding: [1, 1], kernel_size: [3, 3] },
    })
    expect(at('bn1')).toMatchObject({ class: 'torch.nn.modules.batchnorm.BatchNorm2d', attributes: { eps: 1e-3 } })
    expect(at('relu')).toMatchObject({ class: 'torch.nn.modules.activation.ReLU', attributes: { inplace: true } })
    expect(at('blocks.1')).toMatchObject({ class: expect.stringContaining('Identity') })
  })

  it('names every tensor that has no plain values, with the reason', async () => {
    const { tensors, unreadable } = only(await open(fixture('unreadable.pt')))
    expect([...tensors.keys()]).toEqual(['weight'])
    expect(Object.fromEntries(unreadable)).toEqual({
      complex: 'is complex64',
      conjugate: 'is a conjugate or negative view',
      quantised: 'is quantised; in PyTorch, dequantize() makes it readable',
      sparse: 'is sparse; in PyTorch, to_dense() makes it readable',
      compressed: 'is sparse; in PyTorch, to_dense() makes it readable',
      nested: 'is a nested tensor',
      meta: 'is on the device meta and has no values',
      float8: 'is float8_e4m3fn',
      numpy: 'is a numpy._core.multiarray._reconstruct',
      storage: 'is a storage without a shape',
      namespace: 'is an argparse.Namespace',
      text: 'is text',
    })
  })

  it('names the types of safetensors that are no numbers, or that nobody reads', async () => {
    const { tensors, unreadable } = only(await open(fixture('unreadable.safetensors')))
    expect([...tensors.keys()]).toEqual(['weight'])
    expect(Object.fromEntries(unreadable)).toEqual({ complex: 'is complex64', float8: 'is F8_E5M2' })
  })
})

describe('openCheckpoint', () => {
  it('knows a file by its content', async () => {
    const folder = temporaryFolder()
    for (const [from, to] of [
      ['state-dict.pt', 'a.safetensors'],
      ['dtypes.safetensors', 'b.pth'],
      ['legacy.pth', 'c'],
    ] as const) {
      copyFileSync(fixture(from), join(folder, to))
    }
    expect((await open(join(folder, 'a.safetensors'))).format).toBe('PyTorch zip')
    expect((await open(join(folder, 'b.pth'))).format).toBe('safetensors')
    expect((await open(join(folder, 'c'))).format).toBe('PyTorch legacy')
  })

  it('says how many bytes the weights have, and where they lie', async () => {
    const bytes = readFileSync(fixture('state-dict.pt')).length
    expect(await open(fixture('state-dict.pt'))).toMatchObject({ bytes, folder: CHECKPOINTS })
    const { bytes: sharded, folder } = await open(fixture('sharded'))
    const shard = (number: number): number =>
      readFileSync(fixture(`sharded/pytorch_model-0000${number}-of-00002.bin`)).length
    expect([sharded, folder]).toEqual([shard(1) + shard(2), fixture('sharded')])
  })

  it('reads values when they are asked for, and until it is closed', async () => {
    const path = join(temporaryFolder(), 'model.pt')
    copyFileSync(fixture('state-dict.pt'), path)
    const checkpoint = await open(path)
    const weight = only(checkpoint).tensors.get('fc.weight')
    expect(weight?.read()).toHaveLength(6)
    truncateSync(path, 100)
    expect(() => weight?.read()).toThrow('the file has become shorter')
    checkpoint.close()
    expect(() => weight?.read()).toThrow('the file is closed')
  })

  it.each<[string, string | Buffer, string]>([
    ['an empty file', '', 'the file is empty'],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'git lfs pull'],
    ['a web page', '<!doctype html>\n<html>Sign in</html>', 'this is a web page'],
    ['an error of a storage service', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'web page'],
    ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n....', 'latin1'), 'HDF5'],
    ['GGUF', 'GGUF\x03\0\0\0\0\0', 'GGUF'],
    ['numpy', Buffer.from('\x93NUMPY\x01\0v\0{}', 'latin1'), 'one array of numpy'],
    ['ONNX', '\x08\x08\x12\x07pytorch\x1a\x052.0.0', 'ONNX'],
    ['TensorFlow Lite', '\x1c\0\0\0TFL3\0\0', 'TensorFlow Lite'],
    ['gzip', Buffer.from('1f8b0800', 'hex'), 'gunzip'],
    [
      'a tar',
      Buffer.concat([Buffer.alloc(257), Buffer.from('ustar'), Buffer.alloc(300)]),
      'torch.save(torch.load(file',
    ],
    ['a pickle of a dict', Buffer.from('80047d942e', 'hex'), 'torch.save(pickle.load('],
    ['JSON', '{"id2label": {}}', 'without a weight_map'],
    ['text', 'hello', 'this is no file of weights'],
    [
      'TorchScript',
      zip([
        { name: 'm/data.pkl', content: Buffer.of() },
        { name: 'm/constants.pkl', content: Buffer.of() },
      ]),
      'torch.jit.load',
    ],
    ['an exported program', zip([{ name: 'm/models/model.json', content: Buffer.of() }]), 'torch.export.load'],
    ['an .npz', zip([{ name: 'conv1.npy', content: Buffer.of() }]), 'numpy.load'],
    ['a model of Keras', zip([{ name: 'model.weights.h5', content: Buffer.of() }]), 'Keras'],
    ['weights in a zip', zip([{ name: 'resnet18.pth', content: Buffer.of() }]), 'unzip it first'],
    ['another zip', zip([{ name: 'cat.png', content: Buffer.of() }]), 'it has no data.pkl'],
  ])('refuses %s by name, and says what would help', async (_, content, reason) => {
    const refusal = openBytes(Buffer.from(content as string))
    await expect(refusal).rejects.toThrow(reason)
    await expect(refusal).rejects.toThrow(/model\.pt: /)
  })

  it('refuses a path that leads nowhere, and what is neither a file nor a folder', async () => {
    await expect(open('/no/such/file')).rejects.toThrow('/no/such/file: there is no such file or folder')
    await expect(open('/dev/zero')).rejects.toThrow('/dev/zero: there is no such file')
  })
})

describe('a folder', () => {
  const safetensors = readFileSync(fixture('dtypes.safetensors'))
  const zipped = readFileSync(fixture('state-dict.pt'))

  it.each([
    [['model.safetensors', 'pytorch_model.bin', 'other.pt'], 'model.safetensors'],
    [['pytorch_model.bin', 'other.pt'], 'pytorch_model.bin'],
  ])('of %s is read by the name that the libraries give', async (names, chosen) => {
    const content = (name: string): Buffer => (name === chosen ? safetensors : zipped)
    const folder = temporaryFolder(Object.fromEntries(names.map((name) => [name, content(name)])))
    expect((await open(folder)).format).toBe('safetensors')
  })

  it('of one file of weights is that file, whatever lies beside it', async () => {
    const folder = temporaryFolder({
      'config.json': '{}',
      'README.md': 'hello',
      'epoch-3': zipped,
      'logs/more.pt': zipped,
    })
    expect((await open(folder)).format).toBe('PyTorch zip')
  })

  it('of several is refused, and they are listed', async () => {
    const folder = temporaryFolder({ 'b.pt': zipped, 'a.pt': zipped, 'c.json': '{}' })
    await expect(open(folder)).rejects.toThrow(`${folder}: which one of its files? a.pt, b.pt`)
  })

  it('of none is refused', async () => {
    await expect(open(temporaryFolder({ 'config.json': '{}' }))).rejects.toThrow('there is no file of weights')
  })

  it('whose index is given itself is read the same', async () => {
    const index = fixture('transformers/model.safetensors.index.json')
    expect((await open(index)).stateDicts[0]?.tensors.size).toBe(only(await open(fixture('transformers'))).tensors.size)
  })

  it.each(['../model.pt', '/etc/passwd', 'a/b.safetensors', '..\\b', '..', '', 'a\0b', 7, null])(
    'whose index leads out of it, to %j, is refused',
    async (shard) => {
      const folder = temporaryFolder({ 'model.safetensors.index.json': JSON.stringify({ weight_map: { x: shard } }) })
      await expect(open(folder)).rejects.toThrow('not the name of a file beside it')
    },
  )

  it('of which a shard is missing is refused, and the shard is named', async () => {
    const folder = temporaryFolder({ 'model.safetensors.index.json': '{"weight_map": {"x": "one.safetensors"}}' })
    await expect(open(folder)).rejects.toThrow(`${join(folder, 'one.safetensors')}: there is no such file`)
  })

  it('whose index and shards differ: the index counts', async () => {
    const index = JSON.parse(readFileSync(fixture('sharded/pytorch_model.bin.index.json'), 'utf8'))
    const shard: string = index.weight_map.scale
    const folder = temporaryFolder({
      'pytorch_model.bin.index.json': JSON.stringify({ weight_map: { scale: shard, absent: shard } }),
      [shard]: readFileSync(fixture(`sharded/${shard}`)),
    })
    const checkpoint = await open(folder)
    expect([...only(checkpoint).tensors.keys()]).toEqual(['scale'])
    expect([...only(checkpoint).unreadable]).toEqual([['absent', `is missing in ${shard}`]])
    expect(checkpoint.leftOver).toEqual([`${shard}: 8 tensors that the index does not have there`])
  })
})
