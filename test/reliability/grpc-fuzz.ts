import { status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { expect } from 'vitest'
import { buildGrpc, encode, type Fields } from '../helpers/grpc.ts'
import { floats } from '../helpers/pictures.ts'
import { mutated } from './mutations.ts'

const INFER = '/inference.GRPCInferenceService/ModelInfer'
/** Far beyond what any of these takes; beyond it, one counts as hanging. */
const HANGS_AFTER_MS = 20_000

const tensor = { name: 'input', datatype: 'FP32', shape: [1, 1, 2, 3] }
const raw = { model_name: 'fake', inputs: [tensor], raw_input_contents: [floats(1, 2, 3, 4, 5, 6)] }
const picture = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const parameters = { timeout: { int64_param: 9 }, priority: { uint64_param: 1 }, a: { bool_param: true } }
const REQUESTS: Fields[] = [
  raw,
  { ...raw, model_version: '1', id: 'a', parameters, outputs: [{ name: 'embedding' }] },
  { ...raw, outputs: [{ name: 'logits', parameters: { classification: { int64_param: 2 } } }] },
  { model_name: 'fake', inputs: [{ ...tensor, contents: { fp32_contents: [1, 2, 3, 4, 5, 6] } }] },
  {
    model_name: 'fake',
    inputs: [{ ...tensor, datatype: 'UINT8', contents: { uint_contents: [1, 2, 3, 4, 5, 6] } }],
  },
  { ...raw, inputs: [{ ...tensor, datatype: 'FP16' }], raw_input_contents: [Buffer.alloc(12)] },
  {
    model_name: 'fake',
    inputs: [{ name: 'input', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [picture] } }],
  },
  {
    model_name: 'fake',
    inputs: [{ name: 'input', datatype: 'BYTES', shape: [1] }],
    raw_input_contents: [Buffer.concat([Buffer.from([8, 0, 0, 0]), picture])],
  },
]

/** What would say that the server is at fault. */
const FAULTS = [status.INTERNAL, status.UNKNOWN, status.DATA_LOSS, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED]

/** ModelInfer requests, damaged: each gets an answer that does not blame the server, and the next good one its own. */
export async function fuzzModelInfer(runs: number): Promise<void> {
  const { client } = await buildGrpc()
  const messages = REQUESTS.map((request) => encode('inference.ModelInferRequest', request))
  const message = fc.nat(messages.length - 1).map((index) => messages[index] as Buffer)
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  const body = fc.oneof({ weight: 9, arbitrary: mutated(message) }, { weight: 1, arbitrary: any })
  const property = fc.asyncProperty(body, async (bytes) => {
    const { error } = await client.send(INFER, bytes, { deadline: Date.now() + HANGS_AFTER_MS })
    // A damaged `timeout` may have passed.
    if (error !== undefined) expect(FAULTS, error.message).not.toContain(error.code)
  })
  await fc.assert(property, { numRuns: runs, timeout: HANGS_AFTER_MS })
  expect((await client.send(INFER, messages[0] as Buffer)).error).toBeUndefined()
}
