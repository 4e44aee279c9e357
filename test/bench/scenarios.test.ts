import { describe, expect, it } from 'vitest'
import { type Options, parseOptions } from '../../bench/options.ts'
import { closedScenarios, nullScenarios, openScenarios } from '../../bench/scenarios.ts'
import { series } from '../../bench/statistics.ts'
import { httpResult } from './results.ts'

const options = parseOptions([]) as Options

describe('the scenarios', () => {
  it('load the server with every kind of input, by one client and by many', () => {
    const named = closedScenarios(options).map(({ input, answer, clients }) => `${input} ${answer} ${clients}`)
    expect(named).toEqual([
      'tensor json 1',
      'tensor json 32',
      'tensor binary 32',
      'png json 1',
      'png json 32',
      'jpeg json 1',
      'jpeg json 32',
      'photo json 1',
      'photo json 32',
    ])
  })

  it('load the null engine with the most clients alone', () => {
    expect(new Set(nullScenarios(options).map(({ clients }) => clients))).toEqual(new Set([32]))
    expect(nullScenarios(options)).toHaveLength(5)
  })

  it('take the rates of the open loop from the best of the closed one', () => {
    const closed = [
      httpResult({ clients: 1, answersPerS: series([200]) }),
      httpResult({ answersPerS: series([600]) }),
      httpResult({ answer: 'binary', answersPerS: series([900]) }),
      httpResult({ input: 'png', answersPerS: series([500]) }),
    ]
    const rates = openScenarios(options, closed).map(({ input, ratePerS }) => `${input} ${ratePerS}/s`)
    expect(rates).toEqual(['tensor 300/s', 'tensor 480/s', 'png 250/s', 'png 400/s'])
  })
})
