import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLabels } from '../../src/checkpoints/labels.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const read = (text: string) => readLabels(join(temporaryFolder({ labels: text }), 'labels'), 2)

describe('a file of labels', () => {
  it.each([
    ['a line each', 'cat\ndog\n'],
    ['lines from Windows', '\uFEFFcat\r\ndog\r\n'],
    ['a list', '["cat", "dog"]'],
    ['numbers to labels', '{"1": "dog", "0": "cat"}'],
    ['class_to_idx', '{"dog": 1, "cat": 0}'],
  ])('may be %s', (_, text) => {
    expect(read(text)).toEqual(['cat', 'dog'])
  })

  it.each([
    ['too few', 'cat\n', /1 labels for 2 classes/],
    ['a gap', '{"0": "cat", "2": "dog"}', /class 1 has no label/],
    ['something else', '{"labels": ["cat"]}', /neither a list of labels/],
    ['no JSON', '{"cat"', /labels: /],
  ])('is refused with its name: %s', (_, text, message) => {
    expect(() => read(text)).toThrow(message)
  })
})
