import { INPUT_KINDS, type InputKindName, makePayloads, type Payload, PICTURE_KINDS } from './inputs.ts'
import type { Options } from './options.ts'
import { progress } from './progress.ts'
import { errorCount, type HttpResult, type LoadScenario } from './results.ts'
import { type BatchCount, checkAnswer, REQUESTS, readBatchCount, type ServedModel } from './server-api.ts'
import type { ServerProcess } from './server-process.ts'
import { series } from './statistics.ts'
import { outcomes, type Turns, takeTurns, turnSeries } from './turns.ts'

/** Connections of an open loop: enough that a request which falls due finds one free unless the server is behind. */
const OPEN_CLIENTS = 128

/**
 * Every kind of input with every number of clients; binary answers, which differ in what writing them costs, with the most
 * alone. The large pictures come last: their bodies stay in the memory.
 */
export function closedScenarios({ clients }: Options): LoadScenario[] {
  const most = Math.max(...clients)
  const json = (input: InputKindName) => clients.map((count) => ({ input, answer: 'json' as const, clients: count }))
  return [...json('tensor'), { input: 'tensor', answer: 'binary', clients: most }, ...PICTURE_KINDS.flatMap(json)]
}

/** Tensors and small pictures at shares of what the most clients got answered. */
export function openScenarios({ loads }: Options, closed: HttpResult[]): LoadScenario[] {
  return (['tensor', 'png'] as const).flatMap((input) => {
    const rates = closed.filter((result) => result.input === input && result.answer === 'json')
    const best = Math.max(...rates.map(({ answersPerS }) => answersPerS.median))
    return loads.map((load) => {
      const ratePerS = Math.max(1, Math.round(best * load))
      return { input, answer: 'json' as const, clients: OPEN_CLIENTS, ratePerS }
    })
  })
}

/** The kinds of request under the most clients. */
export function nullScenarios(options: Options): LoadScenario[] {
  return closedScenarios({ ...options, clients: [Math.max(...options.clients)] })
}

/** One scenario after the other against one server. */
export async function measureHttp(
  server: ServerProcess,
  model: ServedModel,
  scenarios: LoadScenario[],
  { timing }: Options,
): Promise<HttpResult[]> {
  const results: HttpResult[] = []
  let made: { input: InputKindName; payloads: Payload[] } | undefined
  for (const scenario of scenarios) {
    const { input, answer, clients, ratePerS } = scenario
    const most = Math.max(...scenarios.filter((other) => other.input === input).map((other) => other.clients))
    // Kept for one kind at a time: the large ones are large.
    if (made?.input !== input) made = { input, payloads: await makePayloads(input, model.input, most) }
    const { payloads } = made
    await checkAnswer(server.url, answer, payloads[0] as Payload, model)
    progress(`${INPUT_KINDS[input].title}, ${answer}, ${ratePerS ? `${ratePerS}/s` : `clients: ${clients}`}`)
    const { path, headers } = REQUESTS[answer]
    const before = await readBatchCount(server.url)
    const job = { url: server.url + path, headers, payloads, clients, ratePerS }
    const [turns] = await takeTurns([{ server, job }], { ...timing, rounds: timing.windows })
    const after = await readBatchCount(server.url)
    const computed = { inputs: after.inputs - before.inputs, batches: after.batches - before.batches }
    results.push({ ...scenario, ...httpResult(turns as Turns, computed), memory: server.memory() })
  }
  return results
}

function httpResult({ turns, warmUp, settledS }: Turns, computed: BatchCount) {
  const { answered, errors } = outcomes([...warmUp, ...turns])
  if (errorCount({ errors }) === 0 && computed.inputs < answered) {
    throw new Error(`${answered} answers from ${computed.inputs} computed inputs: some were identical in flight`)
  }
  return {
    ...turnSeries(turns),
    meanBatchSize: computed.inputs / computed.batches,
    answered,
    errors,
    settledS,
    generatorUs: series(turns.map(({ generatorUs }) => generatorUs)).median,
  }
}
