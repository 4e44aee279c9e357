import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { cosine } from '../../src/engines/cosine.ts'
import { loadReference, type Reference } from '../../src/repository/reference.ts'
import { readRepository } from '../../src/repository/repository.ts'
import { startReady } from '../helpers/server-process.ts'

const MODELS = resolve(import.meta.dirname, '../../models')
/** `npm run test:tensorflow` sets it: `tensorflow`, or `cuda` where there is a GPU. */
const ENGINE = process.env.ENGINE ?? 'tensorflow'
const ON_GPU = ENGINE === 'cuda'
/** One value of the first stage takes 0.2 MB for each input: 800 MB on a GPU that gives 512. The CPU has no such limit. */
const INPUTS = ON_GPU ? 4096 : 64

it('answers all of a batch that is larger than the memory, in smaller ones', async () => {
  const [entry] = await readRepository(MODELS)
  const { count, input, embedding } = loadReference(entry as NonNullable<typeof entry>) as Reference
  const server = await startReady({
    env: {
      ENGINE,
      MODEL_REPOSITORY: MODELS,
      GPU_MEMORY_LIMIT_MB: '512',
      MAX_BATCH_SIZE: String(INPUTS),
      ALLOWED_BATCH_SIZES: `1,${INPUTS}`,
      MAX_INPUTS_PER_REQUEST: String(INPUTS),
      MAX_QUEUE_SIZE: String(INPUTS),
      // TensorFlow waits 10 s for memory to come back before it gives up, once for each halving.
      ENGINE_HEARTBEAT_TIMEOUT_MS: '300000',
    },
  })
  const warnings = () => server.lines.map(({ msg }) => msg).filter((msg) => msg.includes('the device is out of memory'))
  const atStart = warnings()
  console.log({ INPUTS, atStart })
  if (ON_GPU) expect(atStart.length).toBeGreaterThan(0)
  else expect(atStart).toEqual([])

  const row = input.length / count
  const inputs = new Float32Array(INPUTS * row)
  for (let i = 0; i < INPUTS; i++) inputs.set(input.subarray((i % count) * row, ((i % count) + 1) * row), i * row)
  const headers = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' }
  const answer = await fetch(`${server.url}/embed`, { method: 'POST', headers, body: inputs })
  expect(answer.status).toBe(200)
  const answers = new Float32Array(await answer.arrayBuffer())
  const size = embedding.length / count
  expect(answers).toHaveLength(INPUTS * size)
  for (let i = 0; i < INPUTS; i++) {
    const expected = embedding.subarray((i % count) * size, ((i % count) + 1) * size)
    expect(cosine(answers.subarray(i * size, (i + 1) * size), expected)).toBeGreaterThan(0.9999)
  }
  expect(warnings()).toEqual(atStart)
}, 300_000)
