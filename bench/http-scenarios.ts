import { type LoadResult, measureLoad } from './http-load.ts'
import { INPUT_KINDS, type InputKindName, makePayloads, type Payload } from './inputs.ts'
import type { Options } from './options.ts'
import { progress } from './progress.ts'
import { errorCount, type HttpResult } from './results.ts'
import { type BatchCount, checkAnswer, readBatchCount, type ServedModel } from './server-api.ts'
import { series } from './statistics.ts'

/** Distinct inputs of each kind. */
const INPUTS = 256

/** Every kind of input with every number of clients, one after the other. */
export async function measureHttp(server: string, model: ServedModel, options: Options): Promise<HttpResult[]> {
  const url = `${server}/classify`
  const results: HttpResult[] = []
  for (const input of Object.keys(INPUT_KINDS) as InputKindName[]) {
    const payloads = await makePayloads(input, model.input, Math.max(INPUTS, ...options.clients))
    await checkAnswer(url, payloads[0] as Payload, model)
    for (const clients of options.clients) {
      progress(`HTTP, ${INPUT_KINDS[input].title}, clients: ${clients}`)
      const before = await readBatchCount(server)
      const load = await measureLoad({ url, payloads, clients, timing: options.timing })
      const after = await readBatchCount(server)
      const computed = { inputs: after.inputs - before.inputs, batches: after.batches - before.batches }
      results.push(httpResult(input, clients, load, computed))
    }
  }
  return results
}

function httpResult(input: InputKindName, clients: number, load: LoadResult, computed: BatchCount): HttpResult {
  const { windows, answered, errors } = load
  const result: HttpResult = {
    input,
    clients,
    answersPerS: series(windows.map(({ answersPerS }) => answersPerS)),
    p50Ms: series(windows.map(({ p50Ms }) => p50Ms)),
    p99Ms: series(windows.map(({ p99Ms }) => p99Ms)),
    meanBatchSize: computed.inputs / computed.batches,
    answered,
    errors,
  }
  if (errorCount(result) === 0 && computed.inputs < answered) {
    throw new Error(`${answered} answers from ${computed.inputs} computed inputs: some were identical in flight`)
  }
  return result
}
