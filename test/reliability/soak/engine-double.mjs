// An engine process that computes nothing and takes its time over it: a batch of n inputs takes FIXED_MS + n * PER_INPUT_MS,
// or twice as long while the other process computes as well. It sleeps, so that the server can be overloaded without taking
// the cores away from those who load and serve it. With TAKES_ALL_THREADS=true the second process gets work as onnx's does.
import { readInput } from '../../helpers/read-input.mjs'

const FIXED_MS = Number(process.env.ORT_DOUBLE_FIXED_MS)
const PER_INPUT_MS = Number(process.env.ORT_DOUBLE_PER_INPUT_MS)
const takesAllThreads = process.env.ORT_DOUBLE_TAKES_ALL_THREADS === 'true'

const architectures = new Map()

const methods = {
  open: () => ({ engine: 'onnx', details: { double: 'true' }, takesAllThreads, passedOver: [] }),
  load({ key, entry }) {
    architectures.set(key, entry.manifest.architecture)
    return { precision: 'fp32', precisionReason: undefined, parameters: 0, loadMs: 0 }
  },
  async run({ key, batchSize, threads, inputBytes }) {
    readInput(inputBytes)
    const ms = FIXED_MS + batchSize * PER_INPUT_MS
    await new Promise((resolve) => setTimeout(resolve, threads === 'share' ? 2 * ms : ms))
    const { numClasses, embeddingSize } = architectures.get(key)
    return {
      logits: new Float32Array(batchSize * numClasses),
      embedding: new Float32Array(batchSize * embeddingSize),
    }
  },
}

// One batch at a time, in the order asked.
let last = Promise.resolve()
process.on('message', ({ id, method, params }) => {
  last = last.then(async () => process.send({ id, result: await methods[method](params) }))
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))
setInterval(() => process.send({ pulse: { residentBytes: process.memoryUsage.rss() } }), 1000)
