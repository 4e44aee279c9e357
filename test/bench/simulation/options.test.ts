import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../../bench/simulation/options.ts'

describe('the options of the simulation', () => {
  it('have defaults, and lists', () => {
    expect(parseOptions(['--load', '0.5,1.2', '--replicas', '4'])).toMatchObject({
      replicas: [4],
      loads: [0.5, 1.2],
      processes: 2,
      maxBatchSize: 32,
      balancer: 'least-connections',
      check: false,
    })
    expect(parseOptions(['--help'])).toBeUndefined()
  })

  it.each([
    ['--replicas', '0'],
    ['--load', '-1'],
    ['--balancer', 'random'],
    ['--overhead', '-1'],
    ['--service', 'fast'],
  ])('%s %s is refused by its name', (name, value) => {
    expect(() => parseOptions([`${name}=${value}`])).toThrow(name)
  })
})
