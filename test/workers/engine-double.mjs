// An engine process for tests: it speaks the protocol and computes nothing. It sends no pulse, so time on a fake clock
// is what decides whether it seems to hang. What it does wrong is chosen by the engine's name and the models' keys.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readInput } from '../helpers/read-input.mjs'

const loaded = new Set()
let share
let folder

async function fileIn(directory, name) {
  while (!existsSync(join(directory, name))) await new Promise((resolve) => setTimeout(resolve, 5))
}

const methods = {
  open({ choice, options }) {
    console.log('the double is open')
    const device = options.gpu?.device
    if (device === 'broken') throw new Error('no such GPU')
    share = options.share
    const info = { takesAllThreads: false, passedOver: [] }
    if (device !== undefined) return { ...info, engine: 'cuda', details: { pid: process.pid, device } }
    if (choice === 'cuda') throw new Error('no GPU here')
    if (choice === 'onnx' && options.tensorflowDir !== '/auto/is/onnx') process.exit(7)
    // What auto settles on can be named where nothing else of the double looks.
    const settled = options.tensorflowDir === '/auto/is/onnx' ? 'onnx' : 'wasm'
    const engine = choice === 'auto' ? settled : choice
    return { ...info, engine, takesAllThreads: engine === 'onnx', details: { pid: process.pid } }
  },
  async load({ key, entry, allowedBatchSizes }) {
    if (key === 'misshapen') throw new Error('fc.weight is missing')
    if (key === 'stubborn') process.removeAllListeners('disconnect').on('disconnect', () => setInterval(() => {}, 1000))
    if (key === 'loads once' || key === 'changes') {
      const marker = join(entry.directory, `${key} loaded`)
      if (existsSync(marker) && key === 'changes') throw new Error('sha256 is another')
      if (existsSync(marker)) process.exit(7)
      writeFileSync(marker, '')
    }
    if (key === 'loads late') await fileIn(entry.directory, 'go')
    if (key === 'runs late') folder = entry.directory
    loaded.add(key)
    return {
      parameters: allowedBatchSizes.length,
      loadMs: 1,
      precisionReason: share && `${share.index} of ${share.count}`,
    }
  },
  async run({ key, inputBytes, batchSize, threads }) {
    const input = readInput(inputBytes)
    if (key === 'hangs') return new Promise(() => {})
    if (key === 'runs late') await fileIn(folder, 'go')
    if (key === 'who' || key === 'runs late')
      return {
        logits: Float32Array.of(process.pid, threads === 'share' ? 1 : 0),
        embedding: Float32Array.of(batchSize),
      }
    if (key === 'warns') process.send({ warning: 'the double warns' })
    if (!loaded.has(key)) throw new Error(`no model ${key} is loaded`)
    return { logits: input.map((value) => 2 * value), embedding: Float32Array.of(batchSize) }
  },
}

process.on('message', async ({ id, method, params }) => {
  try {
    process.send({ id, result: await methods[method](params) })
  } catch (error) {
    process.send({ id, error: error.message })
  }
})
process.on('disconnect', () => process.exit(0))
