import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FakeModel, PHOTOGRAPH_INPUT } from '../helpers/fake-model.ts'
import { floats, greyPng } from '../helpers/pictures.ts'
import { INFER, input, lengthPrefixed, openInferenceClient } from '../routes/open-inference/client.ts'
import { mutated } from './mutations.ts'

/** More of them: FUZZ_RUNS=10000 npx vitest run test/reliability/fuzz-open-inference.test.ts */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150)
/** Far beyond what any of these requests takes; beyond it, one counts as hanging. */
const HANGS_AFTER_MS = 20_000

const SIX = floats(1, 2, 3, 4, 5, 6)

/** Whatever the request: an answer that comes, never says that the server is at fault, and has the protocol's form. */
async function check(
  request: fc.Arbitrary<{ body: Buffer; jsonLength?: string | undefined }>,
  model = new FakeModel(),
) {
  const { app, infer } = await openInferenceClient({ models: [model] })
  const property = fc.asyncProperty(request, async ({ body, jsonLength }) => {
    const headers = jsonLength === undefined ? {} : { 'inference-header-content-length': jsonLength }
    const answer = await app.inject({ method: 'POST', url: INFER, payload: body, headers })
    expect(answer.statusCode).toBeLessThan(500)
    if (answer.statusCode === 200) return
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.json()).toEqual({ error: expect.any(String) })
    expect(answer.json().error.length).toBeLessThan(400)
  })
  await fc.assert(property, {
    numRuns: RUNS,
    timeout: HANGS_AFTER_MS,
    ...(process.env.FUZZ_RUNS ? {} : { interruptAfterTimeLimit: 45_000 }),
  })
  // Nothing of all that has stayed behind.
  const channels = model.manifest.input.channels === 'grey' ? 1 : 3
  const good = input({ shape: [1, channels, 2, 3], data: Array(channels * 6).fill(0) })
  expect((await infer({ inputs: [good] })).status).toBe(200)
}

const size = fc.oneof(fc.nat(3), fc.integer(), fc.constantFrom(2 ** 31, 2 ** 53, 1e300, -1))
const shape = fc.oneof(
  fc.constantFrom([1, 1, 2, 3], [2, 1, 2, 3], [1], [2], [1, 1]),
  fc.array(size, { maxLength: 5 }),
  fc.anything(),
)
const number = fc.oneof(fc.nat(255), fc.double(), fc.constantFrom(1e39, -0, 5e-324))
const element = fc.oneof(
  { weight: 8, arbitrary: number },
  fc.base64String(),
  fc.constantFrom('data:image/png;base64,', 'http://x/'),
  fc.anything(),
)
const data = fc.oneof(
  fc.array(number, { minLength: 6, maxLength: 6 }),
  fc.array(fc.oneof(element, fc.array(element, { maxLength: 3 })), { maxLength: 12 }),
  fc.anything(),
)
const tensor = fc.record(
  {
    name: fc.oneof({ weight: 9, arbitrary: fc.constant('input') }, fc.string(), fc.anything()),
    datatype: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('FP32', 'FP16', 'UINT8', 'BYTES') },
      fc.constantFrom('FP64', '__proto__', 'constructor'),
      fc.anything(),
    ),
    shape,
    data,
    parameters: fc.oneof(fc.record({ binary_data_size: size }), fc.anything()),
  },
  { requiredKeys: ['name', 'datatype', 'shape'] },
)
/** None is so short that it would pass: 504 is then right. */
const patience = fc.constantFrom(0, -1, 0.5, 60_000_000, 2 ** 53, 1e300)
const output = fc.record(
  {
    name: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('logits', 'probabilities', 'embedding') }, fc.string()),
    parameters: fc.oneof(
      fc.record({ classification: size, binary_data: fc.boolean() }, { requiredKeys: [] }),
      fc.anything(),
    ),
  },
  { requiredKeys: ['name'] },
)
const request = fc.record(
  {
    id: fc.oneof(fc.string(), fc.anything()),
    inputs: fc.oneof({ weight: 9, arbitrary: fc.tuple(tensor) }, fc.array(tensor, { maxLength: 3 }), fc.anything()),
    outputs: fc.oneof({ weight: 9, arbitrary: fc.array(output, { maxLength: 4 }) }, fc.anything()),
    parameters: fc.oneof(
      fc.record({ timeout: patience, priority: size, binary_data_output: fc.boolean() }, { requiredKeys: [] }),
      fc.anything(),
    ),
  },
  { requiredKeys: ['inputs'] },
)
const written = request.map((value) => {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch {
    return Buffer.from('{}')
  }
})

describe('JSON', () => {
  it('of nearly the right form is answered', async () => {
    await check(written.map((body) => ({ body })))
  })

  it('damaged on its way is answered', async () => {
    const good = fc.constant(Buffer.from(JSON.stringify({ id: 'a', inputs: [input()], outputs: [{ name: 'logits' }] })))
    await check(mutated(fc.oneof(good, written)).map((body) => ({ body })))
  })
})

describe('JSON with binary data behind it', () => {
  const pictures = greyPng(200).then((png) => lengthPrefixed(png, png))
  const declared = (datatype: string, tensorShape: number[], binary: Buffer) => ({
    json: Buffer.from(
      JSON.stringify({
        inputs: [{ name: 'input', datatype, shape: tensorShape, parameters: { binary_data_size: binary.length } }],
        parameters: { binary_data_output: true },
      }),
    ),
    binary,
  })

  it('damaged on its way is answered', async () => {
    const png = await pictures
    const whole = fc
      .constantFrom(
        declared('FP32', [1, 1, 2, 3], SIX),
        declared('FP16', [2, 1, 2, 3], SIX),
        declared('UINT8', [4, 1, 2, 3], SIX),
        declared('BYTES', [2], png),
      )
      .chain(({ json, binary }) => {
        // What the header says stays true or not, as it comes.
        const bodies = fc.oneof(
          mutated(fc.constant(binary)).map((each) => Buffer.concat([json, each])),
          mutated(fc.constant(Buffer.concat([json, binary]))),
        )
        const lengths = fc.oneof({ weight: 5, arbitrary: fc.constant(String(json.length)) }, fc.nat(600).map(String))
        return fc.record({ body: bodies, jsonLength: lengths })
      })
    await check(whole)
  })

  it('of any bytes and with any length of the JSON is answered', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((values) => Buffer.from(values))
    const jsonLength = fc.oneof(
      fc.nat(250).map(String),
      fc.constantFrom('0', '-1', '1e3', '0x10', '99999999999', 'NaN', ' 3'),
    )
    await check(fc.record({ body: fc.oneof(bytes, written), jsonLength }))
  })

  it('for a model of three channels is answered', async () => {
    const values = Buffer.alloc(72)
    const body = declared('FP32', [1, 3, 2, 3], values)
    const jsonLength = String(body.json.length)
    const bodies = mutated(fc.constant(values)).map((each) => ({ body: Buffer.concat([body.json, each]), jsonLength }))
    await check(bodies, new FakeModel({ input: PHOTOGRAPH_INPUT }))
  })
})

describe('a request without JSON', () => {
  it('of any bytes is answered', async () => {
    const png = await greyPng(200)
    const body = mutated(fc.constantFrom(SIX, png, lengthPrefixed(png)))
    await check(body.map((each) => ({ body: each, jsonLength: '0' })))
  })
})
