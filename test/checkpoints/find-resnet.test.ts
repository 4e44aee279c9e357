import { describe, expect, it } from 'vitest'
import { findResNet } from '../../src/checkpoints/find-resnet.ts'
import type { StoredStateDict } from '../../src/checkpoints/stored-tensor.ts'

/** The names by which a ResNet is found, under each prefix. */
function stateDict(at: string, prefixes: string[], more: string[] = []): StoredStateDict {
  const names = [...prefixes.flatMap((prefix) => [`${prefix}conv1.weight`, `${prefix}layer1.0.conv1.weight`]), ...more]
  const tensor = { dtype: 'float32', shape: [1, 1, 1, 1], read: () => new Float32Array(1) }
  return { at, tensors: new Map(names.map((name) => [name, tensor])), unreadable: new Map() }
}

describe('finding the ResNet in a file', () => {
  it.each([
    ['at the root', stateDict('', ['']), ''],
    ['in a wrapper', stateDict('state_dict', ['']), 'state_dict.'],
    ['under prefixes', stateDict('', ['module.model.backbone.']), 'module.model.backbone.'],
    ['compiled', stateDict('model', ['module._orig_mod.']), 'model.module.'],
  ])('finds it %s', (_, dict, path) => {
    expect(findResNet([dict]).path).toBe(path)
  })

  it('says where several lie, and takes the one that --prefix names, with or without where the state_dict lies', () => {
    const dicts = [stateDict('net', ['student.', 'teacher.'])]
    expect(() => findResNet(dicts)).toThrow(
      'there are 2 ResNets in it; choose one by --prefix: "net.student.", "net.teacher."',
    )
    expect(findResNet(dicts, { prefix: 'teacher' }).path).toBe('net.teacher.')
    expect(findResNet(dicts, { prefix: 'net.student.' }).path).toBe('net.student.')
    expect(() => findResNet(dicts, { prefix: 'other' })).toThrow(/names no ResNet/)
  })

  it('passes over averaged weights unless they are asked for, or there are no others', () => {
    const [plain, averaged] = [stateDict('model', ['']), stateDict('model_ema', ['module.'])]
    expect(findResNet([plain, averaged]).path).toBe('model.')
    expect(findResNet([plain, averaged], { ema: true }).path).toBe('model_ema.module.')
    expect(findResNet([averaged]).path).toBe('model_ema.module.')
    expect(() => findResNet([plain], { ema: true })).toThrow(/--ema: no averaged weights/)
  })

  it.each([
    ['SE-ResNet', ['layer1.0.se.fc1.weight'], /squeeze-and-excitation/],
    ['ECA-ResNet', ['layer1.0.se.conv.weight'], /channel attention/],
    ['ResNeSt', ['layer1.0.conv2.fc1.weight'], /split attention/],
    ['a transformer on a ResNet', ['blocks.0.attn.qkv.weight'], /a transformer .* with a ResNet in it; --prefix/],
  ])('refuses %s by name', (_, more, message) => {
    expect(() => findResNet([stateDict('', [''], more)])).toThrow(message)
  })

  it.each([
    ['nothing', [], /no tensors under names/],
    ['a VGG', ['features.0.weight'], /a VGG or AlexNet, not a ResNet/],
    ['something else', ['encoder.weight'], /no tensor is called conv1\.weight.*the first is encoder\.weight/],
  ])('says what it is where there is none: %s', (_, names, message) => {
    expect(() => findResNet([stateDict('', [], names)])).toThrow(message)
  })

  it('names a tensor that cannot be read and is needed', () => {
    const dict = stateDict('', [''])
    dict.unreadable.set('layer1.0.bn1.weight', 'is sparse')
    expect(() => findResNet([dict])).toThrow('layer1.0.bn1.weight is sparse')
  })
})
