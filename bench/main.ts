import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { compareFiles } from './compare.ts'
import { parseOptions, USAGE } from './options.ts'
import { progress } from './progress.ts'
import { report, title } from './report.ts'
import { allHttp, errorCount } from './results.ts'
import { run } from './run.ts'
import { parseVersus, VERSUS_USAGE } from './versus/options.ts'
import { versus } from './versus/run.ts'

async function main([command, ...rest]: string[]): Promise<void> {
  if (command === 'compare') {
    const [before, after] = rest
    if (before === undefined || after === undefined) throw new Error('compare: name two files that --json wrote')
    process.stdout.write(`${compareFiles(before, after)}\n`)
    return
  }
  if (command === 'versus') {
    const options = parseVersus(rest)
    if (options === undefined) process.stdout.write(`${VERSUS_USAGE}\n`)
    else await versus(options)
    return
  }
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n\n${VERSUS_USAGE}\n`)
    return
  }
  const results = await run(options)
  process.stdout.write(`\n${report(results)}\n`)
  if (options.jsonFile !== undefined) {
    mkdirSync(dirname(options.jsonFile), { recursive: true })
    writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  }
  for (const result of allHttp(results).filter((candidate) => errorCount(candidate) > 0)) {
    progress(`errors, ${title(result)}: ${JSON.stringify(result.errors)}`)
    process.exitCode = 1
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  progress(error.message)
  process.exitCode = 1
})
