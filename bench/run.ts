import { type RepositoryEntry, readRepository } from '../src/repository/repository.ts'
import { engineOptions } from '../src/server/assemble.ts'
import { type Config, loadConfig } from '../src/server/config.ts'
import { OPTIONS } from '../src/server/options.ts'
import { measureDecoding } from './decode.ts'
import { PICTURE_KINDS } from './inputs.ts'
import type { Options } from './options.ts'
import { progress } from './progress.ts'
import { measureRawEngine, type RawEngineJob } from './raw-engine.ts'
import { type DecodeResult, type HttpResult, machine, type RawResult, RESULTS_FORMAT, type Results } from './results.ts'
import { closedScenarios, measureHttp, nullScenarios, openScenarios } from './scenarios.ts'
import { readInfo, type ServedModel } from './server-api.ts'
import { DEPLOYED, NULL_ENGINE, withServer } from './server-process.ts'
import { series } from './statistics.ts'

/** Options of the server that the bench itself sets. */
const OWN_OPTIONS = ['HOST', 'PORT', 'LOG_LEVEL', 'API_KEYS', 'ENGINE', 'MODEL_REPOSITORY']

/**
 * One run. The raw engine is measured before and after the HTTP load, without the server, and its windows are pooled: a
 * machine that changes speed during the run shows as spread and does not move the ratio.
 */
export async function run(options: Options): Promise<Results> {
  // In process.env, so that this process and the server read the same configuration.
  Object.assign(process.env, { ENGINE: options.engine, MODEL_REPOSITORY: options.repository, API_KEYS: '' })
  const config = loadConfig()
  const facts = { date: new Date().toISOString(), machine: machine(), timing: options.timing }

  progress('start-up')
  const first = await withServer(DEPLOYED, process.env, async (server) => {
    const memory = server.memory()
    return { ...(await readInfo(server.url)), startupMs: server.startupMs, memory }
  })
  const { name, version, input, precision } = first.model
  const entry = await findEntry(config, first.model)
  const rawJob = { engine: first.engine.name, options: engineOptions(config), entry, timing: options.timing }

  const before = await measureRaw(rawJob, options, 'before the load')
  const loaded = await measureServer(first.model, options)
  const after = await measureRaw(rawJob, options, 'after the load')
  const ceiling = await measureCeiling(first.model, options)

  return {
    format: RESULTS_FORMAT,
    ...facts,
    engine: first.engine,
    model: { name, version, input: { channels: input.channels, height: input.height, width: input.width } },
    precision,
    settings: settings(),
    startupMs: series([first.startupMs, ...loaded.startupMs]),
    memory: first.memory,
    raw: together(before.raw, after.raw),
    notMeasured: before.notMeasured,
    closed: loaded.closed,
    open: loaded.open,
    ...ceiling,
  }
}

async function findEntry(config: Config, { name, version }: ServedModel): Promise<RepositoryEntry> {
  const entries = await readRepository(config.MODEL_REPOSITORY)
  const entry = entries.find(({ manifest }) => manifest.name === name && manifest.version === version)
  if (entry === undefined) throw new Error(`the server serves ${name}/${version}, which the repository lacks`)
  return entry
}

async function measureRaw(job: Omit<RawEngineJob, 'batchSizes'>, options: Options, when: string) {
  const raw: RawResult[] = []
  const notMeasured: Results['notMeasured'] = []
  for (const precision of options.parts.includes('raw') ? options.precisions : []) {
    progress(`raw engine, ${precision}, ${when}`)
    const asked = { ...job, batchSizes: options.batchSizes, options: { ...job.options, precision } }
    const result = await measureRawEngine(asked)
    if ('refused' in result) notMeasured.push({ precision, reason: result.refused })
    else if (result.precision !== precision) notMeasured.push({ precision, reason: `computed in ${result.precision}` })
    else {
      for (const size of result.sizes) {
        raw.push({ precision, batchSize: size.batchSize, imagesPerS: series(size.imagesPerS) })
      }
    }
  }
  return { raw, notMeasured }
}

/** The windows of each precision and batch size, before and after the load. */
function together(before: RawResult[], after: RawResult[]): RawResult[] {
  return before.map((result) => {
    const again = after.find((other) => other.precision === result.precision && other.batchSize === result.batchSize)
    return { ...result, imagesPerS: series([...result.imagesPerS.values, ...(again?.imagesPerS.values ?? [])]) }
  })
}

async function measureServer(model: ServedModel, options: Options) {
  const none = { closed: [] as HttpResult[], open: [] as HttpResult[], startupMs: [] as number[] }
  if (!options.parts.includes('closed')) return none
  return withServer(DEPLOYED, process.env, async (server) => {
    const closed = await measureHttp(server, model, closedScenarios(options), options)
    const scenarios = options.parts.includes('open') ? openScenarios(options, closed) : []
    const open = await measureHttp(server, model, scenarios, options)
    return { closed, open, startupMs: [server.startupMs] }
  })
}

/** The server with an engine that computes nothing, and sharp without a server. */
async function measureCeiling(model: ServedModel, options: Options) {
  const ceiling: { null: HttpResult[]; decode: DecodeResult[] } = { null: [], decode: [] }
  if (!options.parts.includes('null')) return ceiling
  for (const input of PICTURE_KINDS) {
    progress(`sharp alone, ${input}`)
    const { picturesPerS } = await measureDecoding({ input, model: model.input, timing: options.timing })
    ceiling.decode.push({ input, picturesPerS: series(picturesPerS) })
  }
  progress('null engine')
  ceiling.null = await withServer(NULL_ENGINE, process.env, (server) =>
    measureHttp(server, model, nullScenarios(options), options),
  )
  return ceiling
}

function settings(): Record<string, string> {
  const set = Object.keys(OPTIONS).filter((name) => !OWN_OPTIONS.includes(name) && process.env[name] !== undefined)
  return Object.fromEntries(set.map((name) => [name, process.env[name] as string]))
}
