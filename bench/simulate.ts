import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { progress } from './progress.ts'
import { chart } from './simulation/chart.ts'
import { check } from './simulation/check.ts'
import { type Options, parseOptions, USAGE } from './simulation/options.ts'
import { type Row, report } from './simulation/report.ts'
import { capacityPerS, serviceTimeOf } from './simulation/service-times.ts'
import { simulate } from './simulation/simulate.ts'

async function main(options: Options | undefined): Promise<void> {
  if (options === undefined) console.log(USAGE)
  else if (options.check) await check(options)
  else await predict(options)
}

async function predict({ replicas: counts, loads, service, svgFile, json, ...scenario }: Options): Promise<void> {
  const rows: Row[] = []
  for (const replicas of counts) {
    for (const load of loads) {
      const ratePerS = load * replicas * capacityPerS(service, scenario.maxBatchSize)
      const outcome = await simulate({ ...scenario, serviceTime: serviceTimeOf(service), replicas, ratePerS })
      rows.push({ replicas, load, ratePerS, outcome })
    }
  }
  console.log(json ? JSON.stringify(rows, null, 2) : report(rows))
  if (svgFile === undefined) return
  mkdirSync(dirname(svgFile), { recursive: true })
  writeFileSync(svgFile, chart(rows))
}

main(parseOptions(process.argv.slice(2))).catch((error: Error) => {
  progress(error.message)
  process.exitCode = 1
})
