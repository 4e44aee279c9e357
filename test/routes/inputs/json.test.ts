import { describe, expect, it } from 'vitest'
import { parseJson, readJson } from '../../../src/routes/inputs/json.ts'

const limits = { maxInputs: 8, maxJsonValues: 1000 }
const parse = (text: string): unknown => parseJson(Buffer.from(text), limits)
const failsWith = (code: string) => expect.objectContaining({ code })

describe('parseJson', () => {
  it('parses what JSON.parse does', () => {
    for (const text of ['{"a":[1,-2.5e3,null,true,"x"]}', '"a\\"b\\\\"', '[]', ' 7 ', '{"a":"[[[[{{{{"}']) {
      expect(parse(text)).toEqual(JSON.parse(text))
    }
  })

  it.each(['', ' ', '{', '[1,]', '"', '"\\"', '\\', ']', '{"a":NaN}', '[Infinity]', "{'a':1}", '{"a":1}x'])(
    'refuses %j',
    (text) => {
      expect(() => parse(text)).toThrow(failsWith(text === '' ? 'missing_input' : 'malformed_body'))
    },
  )

  it.each([
    '{"__proto__":{}}',
    '{"a":{"__proto__":null}}',
    '{"\\u005f_proto__":{}}',
    '{"constructor":{"prototype":1}}',
  ])('refuses %s, which would reach into every object', (text) => {
    expect(() => parse(text)).toThrow(failsWith('malformed_body'))
  })

  it('refuses nesting of any depth over the limit, and counts no bracket in a string', () => {
    expect(() => parse('['.repeat(17) + ']'.repeat(17))).toThrow(failsWith('json_too_deep'))
    expect(() => parse('['.repeat(2_000_000))).toThrow(failsWith('json_too_deep'))
    expect(() => parse('{"a":'.repeat(100_000))).toThrow(failsWith('json_too_deep'))
    expect(parse('['.repeat(16) + ']'.repeat(16))).toBeDefined()
    expect(parse(JSON.stringify(['[['.repeat(99), '\\"[[['.repeat(99)]))).toHaveLength(2)
  })

  it.each([
    ['numbers', '0,', 1001],
    ['strings', '"",', 501],
    ['arrays', '[],', 91],
    ['objects', '{},', 91],
    ['escaped quotes', '\\"', 1001],
  ])('refuses too many %s, which take long to parse', (_what, value, count) => {
    const open = value === '\\"' ? '["' : '['
    expect(() => parse(`${open}${value.repeat(count)}`)).toThrow(failsWith('payload_too_large'))
    expect(() => parse(`${open}${value.repeat(Math.floor(count * 0.9))}`)).toThrow(failsWith('malformed_body'))
  })

  it('takes one long string, which is parsed fast', () => {
    expect(parse(JSON.stringify('A'.repeat(10_000_000)))).toHaveLength(10_000_000)
  })
})

describe('readJson', () => {
  it('keeps what is no image in its place, for the request or that input alone to fail by', () => {
    const inputs = [{ image: 'cat.png' }, { tensor: [[1]] }, { image: 'iVBORw0=' }]
    expect(readJson({ inputs }, limits)).toEqual([
      { error: failsWith('malformed_body') },
      { tensor: [[1]] },
      { image: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d]) },
    ])
  })
})
