import { describe, expect, it } from 'vitest'
import { ByteCursor } from '../../src/checkpoints/byte-cursor.ts'
import { readPickle } from '../../src/checkpoints/pickle.ts'
import { PickleGlobal, PickleObject } from '../../src/checkpoints/pickle-value.ts'
import * as op from '../helpers/pickle.ts'

function read(bytes: Uint8Array) {
  const file = Buffer.from(bytes)
  return readPickle(new ByteCursor((from, length) => file.subarray(from, from + length), 0, file.length))
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('readPickle', () => {
  it.each<[string, string, unknown]>([
    // As `pickle.dumps(value, protocol)` of Python 3.11 writes them.
    ['None, protocol 2', '80 02 4e 2e', null],
    ['[True, False]', '80 02 5d 71 00 28 88 89 65 2e', [true, false]],
    ['-1', '80 02 4a ff ff ff ff 2e', -1],
    ['300', '80 02 4d 2c 01 2e', 300],
    ['2**40', '80 02 8a 06 00 00 00 00 00 01 2e', 2 ** 40],
    ['-(2**63)', '80 02 8a 08 00 00 00 00 00 00 00 80 2e', -(2n ** 63n)],
    ['1.5', '80 02 47 3f f8 00 00 00 00 00 00 2e', 1.5],
    ['"é"', '80 02 58 02 00 00 00 c3 a9 71 00 2e', 'é'],
    [
      '((), (1,), (1, 2), (1, 2, 3, 4))',
      '80 02 28 29 4b 01 85 71 00 4b 01 4b 02 86 71 01 28 4b 01 4b 02 4b 03 4b 04 74 71 02 74 71 03 2e',
      [[], [1], [1, 2], [1, 2, 3, 4]],
    ],
    ['{"a": 1}', '80 02 7d 71 00 58 01 00 00 00 61 71 01 4b 01 73 2e', new Map([['a', 1]])],
    ['{1, 2}, protocol 4', '80 04 95 0b 00 00 00 00 00 00 00 8f 94 28 4b 01 4b 02 90 2e', new Set([1, 2])],
    ['frozenset({1}), protocol 4', '80 04 95 06 00 00 00 00 00 00 00 28 4b 01 91 94 2e', new Set([1])],
    ['b"ab", protocol 3', '80 03 43 02 61 62 71 00 2e', Buffer.from('ab')],
    [
      'bytearray(b"ab"), protocol 5',
      '80 05 95 0e 00 00 00 00 00 00 00 96 02 00 00 00 00 00 00 00 61 62 94 2e',
      Buffer.from('ab'),
    ],
    ['"a" of Python 2', '80 02 55 01 61 71 00 2e', 'a'],
  ])('reads %s', (_, bytes, value) => {
    expect(read(hex(bytes))).toEqual(value)
  })

  it('gives back the same value from the memo, also one that holds itself', () => {
    // x = []; x.append(x)
    const list = read(hex('80 02 5d 71 00 68 00 61 2e')) as unknown[]
    expect(list[0]).toBe(list)
  })

  it('makes records of what Python would call, and nothing else', () => {
    const value = read(
      op.pickle(
        op.call(op.global('posix', 'system'), op.text('touch /tmp/pwned')),
        op.dict({ a: op.int(1) }),
        op.BUILD,
      ),
    )
    expect(value).toBeInstanceOf(PickleObject)
    expect(value).toMatchObject({ class: 'posix.system', args: ['touch /tmp/pwned'], state: new Map([['a', 1]]) })
  })

  it('names a class the same in protocol 2 and in protocol 4', () => {
    // collections.OrderedDict
    const byText = read(op.pickle(op.global('collections', 'OrderedDict')))
    const byStack = read(op.pickle(op.text('collections'), op.text('OrderedDict'), '\x93'))
    expect(byText).toEqual(new PickleGlobal('collections.OrderedDict'))
    expect(byStack).toEqual(byText)
  })

  it('keeps keys that mean something to JavaScript as any other', () => {
    const value = read(op.pickle(op.dict({ __proto__: op.int(1) }), op.text('__proto__'), op.int(2), op.SETITEM))
    expect(value).toEqual(new Map([['__proto__', 2]]))
    expect(Object.prototype).not.toHaveProperty('0')
  })

  const million = (code: string): Buffer => Buffer.from(code.repeat(1_000_001), 'latin1')

  it.each<[string, Uint8Array, string]>([
    ['no opcode at all', hex(''), 'ends too early'],
    ['no STOP', hex('80 02 4e'), 'ends too early'],
    ['STOP of an empty stack', hex('80 02 2e'), 'a value is missing on its stack'],
    ['a value from below a mark', hex('80 02 4e 4e 28 30 2e'), 'a value is missing on its stack'],
    ['values up to a mark that is not there', hex('80 02 74 2e'), 'a mark is missing'],
    ['an empty place of the memo', hex('80 02 68 05 2e'), 'value 5 is missing in its memo'],
    ['a key without a value', hex('80 02 7d 28 4e 75 2e'), 'a key has no value'],
    ['an item set in a number', hex('80 02 4b 01 4e 4e 73 2e'), 'no dict'],
    ['a value appended to a number', hex('80 02 4b 01 4e 61 2e'), 'no list'],
    ['a class whose name is a number', hex('80 02 4b 01 4b 02 93 2e'), 'the name of a class is no text'],
    [
      'a reference to a file',
      op.pickle(op.tuple(op.text('file'), op.text('/etc/passwd')), op.PERSISTENT),
      'no storage',
    ],
    ['a storage of -1 values', op.pickle(op.tensor({ elements: -1, size: [1], stride: [1] })), 'malformed storage'],
    ['text opcodes of protocol 0', Buffer.from('I1\n.'), 'opcode 0x49 is not read'],
    ['a registered extension', hex('80 02 82 01 2e'), 'opcode 0x82 is not read'],
    ['a buffer of the program', hex('80 05 97 2e'), 'opcode 0x97 is not read'],
    ['text of 4 GB', hex('80 02 58 ff ff ff ff 61 2e'), 'ends too early'],
    ['text of 2^64 - 1 bytes', hex('80 04 8d ff ff ff ff ff ff ff ff 61 2e'), 'ends too early'],
    ['bytes of 2^63 bytes', hex('80 04 8e 00 00 00 00 00 00 00 80 61 2e'), 'ends too early'],
    ['an integer of 2 GB', hex('80 02 8b 00 00 00 80 00 2e'), 'an integer of 2147483648 bytes'],
    ['a name without an end', op.pickle(`c${'a'.repeat(5000)}`), 'longer than 1000 bytes'],
    ['a name of two long texts', op.pickle(op.text('a'.repeat(5000)), op.text('b'), '\x93'), 'too long'],
    ['1001 levels', op.pickle(op.MARK.repeat(1001)), 'more than 1000 levels'],
    ['a million values on the stack', million(op.NONE), 'more than 1000000 values on its stack'],
    ['200,001 empty dicts', op.pickle(`${op.DICT}0`.repeat(200_001)), 'more than 200000 objects'],
    ['a million values in the memo', op.pickle(op.NONE, million(op.MEMOIZE)), 'more than 1000000 values in its memo'],
    ['place 4,294,967,295 of the memo', hex('80 02 4e 72 ff ff ff ff 2e'), 'more than 1000000 values in its memo'],
    ['five million opcodes', op.pickle(op.NONE, `0${op.NONE}`.repeat(2_500_000)), 'more than 5000000 opcodes'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => read(bytes)).toThrow(reason)
  })

  it('takes integers of 255 bytes, as Python writes them', () => {
    const bytes = op.pickle('\x8a\xff', Buffer.alloc(254, 0xff), '\x7f')
    expect(read(bytes)).toBe(2n ** 2039n - 1n)
  })
})
