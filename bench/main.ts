import { writeFileSync } from 'node:fs'
import { readRepository } from '../src/model/repository.ts'
import { loadConfig, OPTIONS } from '../src/server/config.ts'
import { engineOptions } from '../src/server/serving.ts'
import { measureHttp } from './http-scenarios.ts'
import { INPUT_KINDS } from './inputs.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { progress } from './progress.ts'
import { measureRawEngine, type RawThroughput } from './raw-engine.ts'
import { report } from './report.ts'
import { errorCount, machine, type RawResult, RESULTS_FORMAT, type Results } from './results.ts'
import { readInfo } from './server-api.ts'
import { ServerProcess } from './server-process.ts'
import { series } from './statistics.ts'

/** Options of the server that the bench itself sets. */
const OWN_OPTIONS = ['HOST', 'PORT', 'LOG_LEVEL', 'API_KEYS', 'ENGINE', 'MODEL_REPOSITORY']

/**
 * One run. The raw engine is measured before and after the HTTP load, the server not running, and its windows are taken
 * together: a machine that grows slower or faster during the run then shows as spread instead of moving the ratio.
 */
async function run(options: Options): Promise<Results> {
  // In process.env, so that the configuration read here and the one that the server reads are the same.
  Object.assign(process.env, { ENGINE: options.engine, MODEL_REPOSITORY: options.repository, API_KEYS: '' })
  const config = loadConfig()
  const facts = { date: new Date().toISOString(), machine: machine(), timing: options.timing }

  progress('start-up')
  const first = await withServer(async (server) => ({ ...(await readInfo(server.url)), startupMs: server.startupMs }))
  const { name, version } = first.model
  const entry = readRepository(config.MODEL_REPOSITORY).find(
    ({ manifest }) => manifest.name === name && manifest.version === version,
  )
  if (entry === undefined) throw new Error(`the server serves ${name}/${version}, which ${options.repository} lacks`)

  const { batchSizes, timing } = options
  const rawJob = { engine: first.engine.name, options: engineOptions(config), entry, batchSizes, timing }
  progress('raw engine, before the load')
  const before = await measureRawEngine(rawJob)
  const loaded = await withServer(async (server) => {
    const ready = server.memory()
    const http = await measureHttp(server.url, first.model, options)
    return { http, memory: { ready, afterLoad: server.memory() }, startupMs: server.startupMs }
  })
  progress('raw engine, after the load')
  const after = await measureRawEngine(rawJob)

  return {
    format: RESULTS_FORMAT,
    ...facts,
    engine: first.engine,
    model: { name, version, input: { height: first.model.input.height, width: first.model.input.width } },
    settings: settings(),
    startupMs: series([first.startupMs, loaded.startupMs]),
    memory: loaded.memory,
    raw: together(batchSizes, [...before, ...after]),
    http: loaded.http,
  }
}

async function withServer<T>(use: (server: ServerProcess) => Promise<T>): Promise<T> {
  const server = await ServerProcess.start(process.env)
  try {
    return await use(server)
  } catch (error) {
    // Otherwise the run would fail with whatever connection broke first.
    throw server.ended === undefined ? error : new Error(`the server ended in the middle: ${server.ended}`)
  } finally {
    await server.stop()
  }
}

/** The windows of each batch size, whenever they were measured. */
function together(batchSizes: number[], measured: RawThroughput[]): RawResult[] {
  return batchSizes.map((batchSize) => {
    const parts = measured.filter((part) => part.batchSize === batchSize)
    return { batchSize, imagesPerS: series(parts.flatMap(({ imagesPerS }) => imagesPerS)) }
  })
}

function settings(): Record<string, string> {
  const set = Object.keys(OPTIONS).filter((name) => !OWN_OPTIONS.includes(name) && process.env[name] !== undefined)
  return Object.fromEntries(set.map((name) => [name, process.env[name] as string]))
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const results = await run(options)
  process.stdout.write(`\n${report(results)}\n`)
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  for (const result of results.http.filter((candidate) => errorCount(candidate) > 0)) {
    progress(`errors, ${INPUT_KINDS[result.input].title}, clients ${result.clients}: ${JSON.stringify(result.errors)}`)
    process.exitCode = 1
  }
}

main().catch((error: Error) => {
  progress(error.message)
  process.exitCode = 1
})
