import { parseArgs } from 'node:util'
import { channelCount } from '../src/repository/input-spec.ts'
import { makePayloads, type Payload } from './inputs.ts'
import type { LoadJob } from './load/load.ts'
import { count, turnsTiming } from './options.ts'
import { errorCount } from './results.ts'
import { checkAnswer, REQUESTS, readInfo, type ServedModel } from './server-api.ts'
import { DEPLOYED, NULL_ENGINE, withServer } from './server-process.ts'
import { outcomes, takeTurns } from './turns.ts'
import { versusReport } from './versus/report.ts'

const USAGE = `npm run bench:protocols -- [options]
  the Open Inference Protocol with binary tensors beside /embed with raw ones: one server, in turns
  --rounds <count>      turns of each (default 30)
  --window <seconds>    length of a turn (default 1)
  --settle <seconds>    the longest warm-up (default 60)
  --clients <count>     HTTP clients (default 32)
  --null                with an engine that computes nothing: the protocols' own cost`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    window: { type: 'string', default: '1' },
    settle: { type: 'string', default: '60' },
    clients: { type: 'string', default: '32' },
    null: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(USAGE)
else await main(count('clients', values.clients))

async function main(clients: number): Promise<void> {
  await withServer(values.null ? NULL_ENGINE : DEPLOYED, { ...process.env, API_KEYS: '' }, async (server) => {
    const { model } = await readInfo(server.url)
    const payloads = await makePayloads('tensor', model.input, clients)
    await checkAnswer(server.url, 'binary', payloads[0] as Payload, model)
    const { path, headers } = REQUESTS.binary
    const protocols: Record<string, Omit<LoadJob, 'clients'>> = {
      '/embed': { url: server.url + path, headers, payloads },
      'Open Inference Protocol, embedding': openInference(server.url, model, payloads, ['embedding']),
      'Open Inference Protocol, all outputs': openInference(server.url, model, payloads, []),
    }
    const contenders = Object.values(protocols).map((job) => ({ server, job: { ...job, clients } }))
    const turns = await takeTurns(contenders, turnsTiming(values))
    const named = Object.keys(protocols).map((name, i) => ({ name, ...(turns[i] as (typeof turns)[number]) }))
    console.log(versusReport(`raw tensors, ${clients} clients, engine: ${values.null ? 'none' : 'as deployed'}`, named))
    const errors = named.map(({ warmUp, turns }) => outcomes([...warmUp, ...turns]))
    if (errors.some((each) => errorCount(each) > 0)) throw new Error(JSON.stringify(errors))
  })
}

/** The same tensors behind a JSON header, answered as bytes. */
function openInference(
  server: string,
  { name, input }: ServedModel,
  payloads: Payload[],
  outputs: string[],
): Omit<LoadJob, 'clients'> {
  const [first] = payloads
  const length = first?.body.length ?? 0
  const shape = [1, channelCount(input), input.height, input.width]
  const request = {
    inputs: [{ name: 'input', datatype: 'FP32', shape, parameters: { binary_data_size: length } }],
    ...(outputs.length > 0 ? { outputs: outputs.map((output) => ({ name: output })) } : {}),
    parameters: { binary_data_output: true },
  }
  const json = Buffer.from(JSON.stringify(request))
  return {
    url: `${server}/v2/models/${name}/infer`,
    headers: { 'inference-header-content-length': String(json.length) },
    payloads: payloads.map(({ contentType, body }) => ({ contentType, body: Buffer.concat([json, body]) })),
  }
}
