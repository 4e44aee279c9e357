/**
 * The engine process: opens one engine, loads models, runs batches, one at a time and in the order asked. Native calls
 * block this process and may crash it; neither touches HTTP. It ends when its parent does.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deviceErrorOf } from '../engines/device-errors.ts'
import type { CompiledGraph, Engine } from '../engines/engine.ts'
import { boundByMemory } from '../engines/memory-bounded-graph.ts'
import { openEngine } from '../engines/open.ts'
import { padToSizes } from '../engines/padded-graph.ts'
import { loadExtras, loadGraph } from '../repository/load-graph.ts'
import { countParameters } from '../resnet/graph.ts'
import type { LoadedInfo, OpenedInfo, Params, Reply, Request, Result } from './protocol.ts'

const PULSE_INTERVAL_MS = 1000

/** EX_IOERR of sysexits.h: the device is gone. */
const DEVICE_LOST_EXIT_CODE = 74

let engine: Engine | undefined
const graphs = new Map<string, CompiledGraph>()

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
  const compiled = await engine.compile(graph, loadExtras(entry))
  const bounded = boundByMemory(compiled, (size) =>
    send({ warning: `${key}: the device is out of memory; from here on batches are run ${size} at a time` }),
  )
  const padded = engine.fixedBatchSizes ? padToSizes(bounded, allowedBatchSizes) : bounded
  // The first run of a shape allocates, and on CUDA chooses algorithms: nobody's request should pay for that.
  const itemLength = graph.input.shape.reduce((product, size) => product * size, 1)
  for (const batchSize of engine.fixedBatchSizes ? allowedBatchSizes : [1]) {
    for (const threads of engine.takesAllThreads ? (['share', 'all'] as const) : (['all'] as const)) {
      await padded.run({ input: new Float32Array(itemLength * batchSize), batchSize, threads })
      // Native calls block the event loop: without a turn of it, no pulse would leave until the last size has been run.
      await immediate()
    }
  }
  graphs.set(key, padded)
  // Not yet: this function still holds the graph.
  setImmediate(collectGarbage)
  const { precision, precisionReason } = compiled
  return { precision, precisionReason, parameters: countParameters(graph), loadMs: performance.now() - start }
}

/**
 * Gives back what nothing refers to any more, now. Loading a model leaves several copies of its weights behind, which V8
 * would keep until its own small heap grows.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

async function unload({ key }: Params<'unload'>): Promise<null> {
  await graphs.get(key)?.dispose()
  graphs.delete(key)
  return null
}

async function run({ key, ...batch }: Params<'run'>): Promise<Result<'run'>> {
  const graph = graphs.get(key)
  if (graph === undefined) throw new Error(`no model ${key} is loaded`)
  return await graph.run(batch)
}

function handle(request: Request): Promise<Result<Request['method']>> {
  switch (request.method) {
    case 'open':
      return open(request.params)
    case 'load':
      return load(request.params)
    case 'unload':
      return unload(request.params)
    case 'run':
      return run(request.params)
  }
}

function send(reply: Reply): void {
  process.send?.(reply)
}

async function answer(request: Request): Promise<void> {
  try {
    send({ id: request.id, result: await handle(request) })
  } catch (error) {
    // CUDA does not recover within a process: the parent starts another, and runs the batch there.
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
// A signal to the whole process group (Ctrl-C) is for the parent, which drains first and then ends this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))
setInterval(() => {
  send({ pulse: { residentBytes: process.memoryUsage.rss(), liveTensors: engine?.liveTensors?.() } })
}, PULSE_INTERVAL_MS)
