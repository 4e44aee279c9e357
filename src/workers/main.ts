/**
 * The engine process: opens one engine, loads models and runs batches, one request at a time, in order. Native calls may
 * block or crash this process without harm to HTTP. It ends with its parent.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { collectGarbage } from '../engines/collect-garbage.ts'
import { deviceErrorOf } from '../engines/device-errors.ts'
import type { CompiledGraph, Engine } from '../engines/engine.ts'
import { boundByMemory } from '../engines/memory-bounded-graph.ts'
import { openEngine } from '../engines/open.ts'
import { padToSizes } from '../engines/padded-graph.ts'
import { loadExtras, loadGraph } from '../repository/load-graph.ts'
import { countParameters, countValues } from '../resnet/graph.ts'
import { InputReader } from './input-pipe.ts'
import type { LoadedInfo, Method, OpenedInfo, Params, Reply, Request, Result } from './protocol.ts'

const PULSE_INTERVAL_MS = 1000

/** EX_IOERR of sysexits.h. */
const DEVICE_LOST_EXIT_CODE = 74

let engine: Engine | undefined
const graphs = new Map<string, CompiledGraph>()
const inputs = new InputReader()

async function open({ choice, options }: Params<'open'>): Promise<OpenedInfo> {
  const opened = await openEngine(choice, options)
  engine = opened.engine
  const { name, details, takesAllThreads } = engine
  return { engine: name, details, takesAllThreads, passedOver: opened.passedOver }
}

async function load({ key, entry, allowedBatchSizes }: Params<'load'>): Promise<LoadedInfo> {
  if (engine === undefined) throw new Error('load before open')
  const start = performance.now()
  const graph = loadGraph(entry)
  // What reading left, before the engine takes as much again for its own copies.
  collectGarbage()
  const compiled = await engine.compile(graph, loadExtras(entry))
  const bounded = boundByMemory(compiled, (size) =>
    send({ warning: `${key}: the device is out of memory; batches are limited to ${size} inputs from now on` }),
  )
  const padded = engine.fixedBatchSizes ? padToSizes(bounded, allowedBatchSizes) : bounded
  // The first run of a shape allocates memory, and on CUDA chooses algorithms. No request should wait for that.
  const itemLength = countValues(graph.input.shape)
  for (const batchSize of engine.fixedBatchSizes ? allowedBatchSizes : [1]) {
    for (const threads of engine.takesAllThreads ? (['share', 'all'] as const) : (['all'] as const)) {
      await padded.run({ input: new Float32Array(itemLength * batchSize), batchSize, threads })
      // Native calls block the event loop: this lets it send a pulse between them.
      await immediate()
    }
  }
  graphs.set(key, padded)
  // Later, since this function still holds the graph.
  setImmediate(collectGarbage)
  const { precision, precisionReason } = compiled
  return { precision, precisionReason, parameters: countParameters(graph), loadMs: performance.now() - start }
}

async function run({ key, inputBytes, ...batch }: Params<'run'>): Promise<Result<'run'>> {
  // First, so that the pipe stands at the next batch whatever happens to this one.
  const input = inputs.read(inputBytes)
  const graph = graphs.get(key)
  if (graph === undefined) throw new Error(`no model ${key} is loaded`)
  return await graph.run({ input, ...batch })
}

const methods: { [M in Method]: (params: Params<M>) => Promise<Result<M>> } = { open, load, run }

function send(reply: Reply): void {
  process.send?.(reply)
}

async function answer(request: Request): Promise<void> {
  try {
    send({ id: request.id, result: await methods[request.method](request.params as never) })
  } catch (error) {
    // CUDA does not recover within a process. The parent starts another one and runs the batch there.
    if (deviceErrorOf(error) === 'device_lost') {
      console.error(String(error))
      process.exit(DEVICE_LOST_EXIT_CODE)
    }
    send({ id: request.id, error: error instanceof Error ? error.message : String(error) })
  }
}

let last = Promise.resolve()
process.on('message', (request: Request) => {
  last = last.then(() => answer(request))
})
// Signals to the process group (Ctrl-C) are left to the parent, which drains and then ends this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))
setInterval(() => {
  send({ pulse: { residentBytes: process.memoryUsage.rss(), liveTensors: engine?.liveTensors?.() } })
}, PULSE_INTERVAL_MS)
