import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { INPUT_KINDS, makePayloads, type Payload } from '../inputs.ts'
import { progress } from '../progress.ts'
import { errorCount, machine } from '../results.ts'
import { checkAnswer, REQUESTS, readInfo } from '../server-api.ts'
import { withServers } from '../server-process.ts'
import { outcomes, takeTurns } from '../turns.ts'
import type { VersusOptions } from './options.ts'
import { versusReport } from './report.ts'
import { prepare } from './sides.ts'

/** Builds, or settings of one, beside each other. The report goes to stdout; the exit status is 1 after any error. */
export async function versus(options: VersusOptions): Promise<void> {
  const { sides, repository, inputs, clients, timing, jsonFile } = options
  const env = { ...process.env, MODEL_REPOSITORY: repository, API_KEYS: '' }
  const facts = { date: new Date().toISOString(), machine: machine(), options }
  const { path, headers } = REQUESTS.json
  const results: object[] = []
  await withServers(
    sides.map((side) => prepare(side, env)),
    async (servers) => {
      for (const input of inputs) {
        const models = await Promise.all(servers.map(async ({ url }) => (await readInfo(url)).model))
        const [first] = models
        if (first === undefined) return
        const payloads = await makePayloads(input, first.input, clients)
        for (const [i, { url }] of servers.entries()) {
          await checkAnswer(url, 'json', payloads[0] as Payload, models[i] ?? first)
        }
        const title = `${INPUT_KINDS[input].title}, ${clients} clients, ${timing.rounds} rounds of ${timing.windowS} s`
        progress(title)
        const contenders = servers.map((server) => ({
          server,
          job: { url: server.url + path, headers, payloads, clients },
        }))
        const turns = await takeTurns(contenders, timing)
        const named = turns.map((one, i) => ({ name: sides[i]?.name ?? '', ...one }))
        process.stdout.write(`\n${versusReport(title, named)}\n`)
        results.push({ input, sides: named })
        for (const { name, warmUp, turns } of named) {
          const { errors } = outcomes([...warmUp, ...turns])
          if (errorCount({ errors }) === 0) continue
          progress(`errors, ${name}: ${JSON.stringify(errors)}`)
          process.exitCode = 1
        }
      }
    },
  )
  if (jsonFile === undefined) return
  mkdirSync(dirname(jsonFile), { recursive: true })
  writeFileSync(jsonFile, `${JSON.stringify({ ...facts, results }, null, 2)}\n`)
}
