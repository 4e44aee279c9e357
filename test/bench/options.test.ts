import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../bench/options.ts'

describe('the options of the bench', () => {
  it('measure everything unless told otherwise', () => {
    expect(parseOptions([])).toMatchObject({
      engine: 'auto',
      parts: ['raw', 'closed', 'open', 'null'],
      precisions: ['fp32', 'int8'],
      clients: [1, 32],
      timing: { warmupS: 1, settleS: 60, windowS: 2, windows: 3 },
    })
  })

  it('are read from the command line', () => {
    const options = parseOptions(['--only', 'raw,null', '--clients', '4', '--windows', '5', '--precisions', 'int8'])
    expect(options).toMatchObject({
      parts: ['raw', 'null'],
      clients: [4],
      precisions: ['int8'],
      timing: { windows: 5 },
    })
  })

  it('are refused by name when they make no sense', () => {
    expect(() => parseOptions(['--clients', '0'])).toThrow('--clients 0')
    expect(() => parseOptions(['--window', 'long'])).toThrow('--window long')
    expect(() => parseOptions(['--engine', 'gpu'])).toThrow('--engine gpu')
    expect(() => parseOptions(['--only', 'raw,open'])).toThrow('--only open')
    expect(() => parseOptions(['--precisions', 'fp4'])).toThrow('--precisions fp4')
  })

  it('ask for the usage alone with --help', () => {
    expect(parseOptions(['--help'])).toBeUndefined()
  })
})
