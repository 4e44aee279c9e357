/**
 * An engine process that computes nothing: every batch is answered at once, with rows of numbers that were drawn before,
 * so that whatever the server does with an answer costs what it usually does.
 */
import type { Outputs } from '../../src/engines/engine.ts'
import { InputReader } from '../../src/workers/input-pipe.ts'
import type { LoadedInfo, OpenedInfo, Params, Reply, Request, Result } from '../../src/workers/protocol.ts'
import { seededRandom } from '../inputs.ts'

const PULSE_INTERVAL_MS = 1000
const ROWS = 4096

const rows = new Map<string, Outputs>()
const sizes = new Map<string, { logits: number; embedding: number }>()

function open(): OpenedInfo {
  return { engine: 'onnx', details: { library: 'none: answers at once' }, takesAllThreads: true, passedOver: [] }
}

function load({ key, entry }: Params<'load'>): LoadedInfo {
  const { numClasses, embeddingSize } = entry.manifest.architecture
  const random = seededRandom(1)
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => random() * 8 - 4)
  sizes.set(key, { logits: numClasses, embedding: embeddingSize })
  rows.set(key, { logits: numbers(ROWS * numClasses), embedding: numbers(ROWS * embeddingSize) })
  return { precision: 'fp32', precisionReason: undefined, parameters: 0, loadMs: 0 }
}

const inputs = new InputReader()

function run({ key, batchSize, inputBytes }: Params<'run'>): Outputs {
  inputs.read(inputBytes)
  const size = sizes.get(key)
  const drawn = rows.get(key)
  if (size === undefined || drawn === undefined) throw new Error(`no model ${key} is loaded`)
  return {
    logits: drawn.logits.subarray(0, batchSize * size.logits),
    embedding: drawn.embedding.subarray(0, batchSize * size.embedding),
  }
}

function handle(request: Request): Result<Request['method']> {
  switch (request.method) {
    case 'open':
      return open()
    case 'load':
      return load(request.params)
    case 'run':
      return run(request.params)
  }
}

function send(reply: Reply): void {
  process.send?.(reply)
}

process.on('message', (request: Request) => send({ id: request.id, result: handle(request) }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))
setInterval(() => {
  send({ pulse: { residentBytes: process.memoryUsage.rss(), liveTensors: undefined } })
}, PULSE_INTERVAL_MS)
