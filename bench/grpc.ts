import { parseArgs } from 'node:util'
import { channelCount } from '../src/repository/input-spec.ts'
import { messageType } from '../src/routes/grpc/messages.ts'
import { cpuBetween } from './cpu.ts'
import { makePayloads, type Payload } from './inputs.ts'
import { GrpcLoad } from './load/grpc-load.ts'
import { Load, type LoadTime } from './load/load.ts'
import { count, turnsTiming } from './options.ts'
import { errorCount } from './results.ts'
import { checkAnswer, REQUESTS, readInfo, type ServedModel } from './server-api.ts'
import { DEPLOYED, freePort, NULL_ENGINE, type ServerProcess, withServer } from './server-process.ts'
import { orderOf, outcomes, type Turn, type Turns } from './turns.ts'
import { versusReport } from './versus/report.ts'

const USAGE = `npm run bench:grpc -- [options]
  ModelInfer with raw contents beside /embed with raw tensors: one server, in turns
  --rounds <count>      turns of each (default 30)
  --window <seconds>    length of a turn (default 1)
  --settle <seconds>    warm-up of each (default 10)
  --clients <count>     clients, each with a connection of its own (default 32)
  --null                with an engine that computes nothing: the protocols' own cost`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    window: { type: 'string', default: '1' },
    settle: { type: 'string', default: '10' },
    clients: { type: 'string', default: '32' },
    null: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(USAGE)
else await main(count('clients', values.clients))

async function main(clients: number): Promise<void> {
  const port = await freePort()
  const env = { ...process.env, API_KEYS: '', GRPC_PORT: String(port) }
  const { rounds, leadS, windowS, settleS } = turnsTiming(values)
  await withServer(values.null ? NULL_ENGINE : DEPLOYED, env, async (server) => {
    const { model } = await readInfo(server.url)
    const payloads = await makePayloads('tensor', model.input, clients)
    await checkAnswer(server.url, 'binary', payloads[0] as Payload, model)
    const { path, headers } = REQUESTS.binary
    const http = await Load.open({ url: server.url + path, headers, payloads, clients })
    const sides = [http, new GrpcLoad(port, messagesOf(model, payloads), clients)]
    const named: (Turns & { name: string })[] = []
    for (const [i, name] of ['/embed', 'gRPC ModelInfer, embedding'].entries()) {
      const warmUp = [await turn(server, sides[i] as Side, { leadS: 0, windowS: settleS })]
      named.push({ name, settledS: settleS, warmUp, turns: [] })
    }
    for (let round = 0; round < rounds; round++) {
      for (const i of orderOf(round, sides.length)) {
        named[i]?.turns.push(await turn(server, sides[i] as Side, { leadS, windowS }))
      }
    }
    await Promise.all(sides.map((side) => side.close()))
    console.log(versusReport(`raw tensors, ${clients} clients, engine: ${values.null ? 'none' : 'as deployed'}`, named))
    const errors = named.map(({ warmUp, turns }) => outcomes([...warmUp, ...turns]))
    if (errors.some((each) => errorCount(each) > 0)) throw new Error(JSON.stringify(errors))
  })
}

type Side = Pick<Load, 'run' | 'close'>

async function turn(server: ServerProcess, side: Side, time: LoadTime): Promise<Turn> {
  const before = server.cpu()
  const result = await side.run(time)
  const { http, engine } = cpuBetween(before, server.cpu())
  return { ...result, cpuMs: { http: http / result.answered, engine: engine / result.answered } }
}

/** Asks for the embedding alone, as /embed answers it. Framed as gRPC frames a message. */
function messagesOf({ name, input }: ServedModel, payloads: Payload[]): Buffer[] {
  const type = messageType('inference.ModelInferRequest')
  const shape = [1, channelCount(input), input.height, input.width]
  return payloads.map(({ body }) => {
    const message = type.encode({
      model_name: name,
      inputs: [{ name: 'input', datatype: 'FP32', shape }],
      outputs: [{ name: 'embedding' }],
      raw_input_contents: [body],
    })
    const bytes = message.finish()
    const head = Buffer.alloc(5)
    head.writeUInt32BE(bytes.length, 1)
    return Buffer.concat([head, bytes])
  })
}
