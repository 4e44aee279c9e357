// Says how many tests and checks passed and failed, in one line, and fails when any failed or none ran. Before it, the end of
// what each that failed has printed.
//
// The folder named on the command line has vitest's JSON report of each suite (SCRIPT.json), what each has printed (NAME.log),
// and two lists of what ran, `suites` and `checks`: a line each, the exit code and the name.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2] ?? '.'
const lines = (file) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
const ran = (list) =>
  lines(join(folder, list)).map((line) => ({ ok: line.startsWith('0 '), name: line.slice(line.indexOf(' ') + 1) }))

const LINES = 60
const printed = (name) => {
  console.log(`=== the last ${LINES} lines of ${name}`)
  for (const line of lines(join(folder, `${name}.log`)).slice(-LINES)) console.log(line)
}

let passed = 0
let failed = 0
const failures = []
const fail = (name) => {
  failed++
  failures.push(name)
}

for (const { ok, name } of ran('checks')) {
  if (ok) passed++
  else {
    printed(name)
    fail(name)
  }
}
for (const { ok, name } of ran('suites')) {
  const report = join(folder, `${name}.json`)
  const files = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : []
  const before = failed
  for (const { name: file, status, assertionResults } of files) {
    for (const test of assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') fail(`${name}: ${test.fullName}`)
    }
    // A file that cannot be loaded, or whose hooks fail, may have no test that did.
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) fail(`${name}: ${file}`)
  }
  // A suite that ran nothing has proved nothing; one that ends in an error without a failed test has failed.
  if (failed === before && (!ok || files.length === 0)) fail(name)
  if (failed > before) printed(name)
}

for (const name of failures) console.log(`failed: ${name}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
