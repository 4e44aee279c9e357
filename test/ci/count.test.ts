import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const SCRIPT = fileURLToPath(new URL('../../.ci/count.mjs', import.meta.url))

/** What .ci/run ends with, line by line, and its exit code. */
function count(files: Record<string, string>) {
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, temporaryFolder(files)], { encoding: 'utf8' })
  return { status, lines: stdout.trim().split('\n') }
}

/** A report as vitest writes it, of one file with tests of these outcomes. */
const report = (statuses: string[], status = statuses.includes('failed') ? 'failed' : 'passed') =>
  JSON.stringify({
    testResults: [{ name: 'a.test.ts', status, assertionResults: statuses.map((s) => ({ status: s, fullName: s })) }],
  })

describe('the last line of .ci/run', () => {
  it('counts the tests of all suites, and each check as one; what was skipped is neither', () => {
    const { status, lines } = count({
      checks: '0 lint\n0 npm start\n',
      suites: '0 test\n0 test:slow\n',
      'test.json': report(['passed', 'passed', 'skipped']),
      'test:slow.json': report(['passed']),
    })
    expect(lines).toEqual(['5 passed, 0 failed'])
    expect(status).toBe(0)
  })

  it.each([
    [
      'a test',
      { suites: '1 test\n', 'test.json': report(['passed', 'failed']) },
      ['failed: test: failed', '1 passed, 1 failed'],
    ],
    ['a check', { checks: '0 types\n2 lint\n' }, ['failed: lint', '1 passed, 1 failed']],
    [
      'a file whose tests could not be run',
      { suites: '1 test\n', 'test.json': report(['passed'], 'failed') },
      ['failed: test: a.test.ts', '1 passed, 1 failed'],
    ],
    [
      'a suite that ended in an error beside its tests',
      { suites: '1 test\n', 'test.json': report(['passed']) },
      ['failed: test', '1 passed, 1 failed'],
    ],
    ['a suite without a report', { checks: '0 lint\n', suites: '1 test\n' }, ['failed: test', '1 passed, 1 failed']],
    [
      'a suite without tests',
      { checks: '0 lint\n', suites: '0 test\n', 'test.json': '{"testResults":[]}' },
      ['failed: test', '1 passed, 1 failed'],
    ],
    ['everything: nothing ran', {}, ['0 passed, 0 failed']],
  ])('tells of %s that failed, and fails', (_name, files, expected) => {
    const { status, lines } = count(files as unknown as Record<string, string>)
    expect(lines.slice(-expected.length)).toEqual(expected)
    expect(status).toBe(1)
  })

  it('comes after the end of what each that failed has printed', () => {
    const printed = Array.from({ length: 100 }, (_, i) => `line ${i}`).join('\n')
    const { lines } = count({ checks: '0 lint\n1 soak\n', 'lint.log': 'fine', 'soak.log': printed })
    expect(lines).toEqual([
      '=== the last 60 lines of soak',
      ...printed.split('\n').slice(-60),
      'failed: soak',
      '1 passed, 1 failed',
    ])
  })
})
