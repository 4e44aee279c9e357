import fc from 'fast-check'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { inputLength } from '../../src/repository/input-spec.ts'
import { build } from '../helpers/build.ts'
import { drawDigit } from '../helpers/drawn-digits.ts'
import { FakeModel, PHOTOGRAPH_INPUT } from '../helpers/fake-model.ts'
import { mutated } from './mutations.ts'
import { GOOD_REQUEST, listening } from './raw-client.ts'

/** More of them: FUZZ_RUNS=20000 npx vitest run test/reliability/fuzz.test.ts */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150)
/** Far beyond what any of these inputs takes; beyond it, one counts as hanging. */
const HANGS_AFTER_MS = 20_000

type App = Awaited<ReturnType<typeof build>>['app']

/** Whatever the body: an answer that comes, and never says that the server is at fault. */
async function check(
  body: fc.Arbitrary<Buffer>,
  contentType: fc.Arbitrary<string>,
  query: fc.Arbitrary<string> = fc.constant(''),
  model = new FakeModel(),
): Promise<void> {
  const { app } = await build({ models: [model] })
  const property = fc.asyncProperty(body, contentType, query, async (payload, type, search) => {
    const answer = await post(app, payload, type, search)
    expect(answer.statusCode).toBeLessThan(500)
    if (answer.statusCode !== 200) {
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
      expect(answer.json()).toMatchObject({ status: answer.statusCode, code: expect.any(String) })
    }
  })
  await fc.assert(property, { numRuns: RUNS, timeout: HANGS_AFTER_MS, interruptAfterTimeLimit: 45_000 })
  // Nothing of all that has stayed behind.
  const good = Buffer.alloc(4 * inputLength(model.manifest.input))
  expect((await post(app, good, 'application/octet-stream', '')).statusCode).toBe(200)
}

function post(app: App, payload: Buffer, contentType: string, search: string) {
  return app.inject({ method: 'POST', url: `/classify${search}`, payload, headers: { 'content-type': contentType } })
}

const bytes = fc.uint8Array({ maxLength: 2000 }).map((values) => Buffer.from(values))
const text = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> => value.map((each) => Buffer.from(String(each)))

describe('any bytes', () => {
  it.each([
    'application/json',
    'application/octet-stream',
    'multipart/form-data; boundary=b',
    'image/png',
    'image/jpeg',
    'image/webp',
  ])('as %s are answered, and never with a 5xx', async (type) => {
    await check(bytes, fc.constant(type))
  })

  it('as any content type are answered, too', async () => {
    const type = fc.oneof(
      fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom(
        'multipart/form-data',
        'multipart/form-data; boundary="',
        'multipart/mixed; boundary=b',
        'image/*',
      ),
      fc
        .string({ unit: fc.constantFrom('a', '-', "'", '=', ';', ' ') })
        .map((boundary) => `multipart/form-data; boundary=${boundary}`),
    )
    await check(bytes, type)
  })
})

describe('JSON', () => {
  const json = fc.constant('application/json')
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e39, -0, 5e-324))
  const tensor = fc.oneof(
    fc.array(fc.array(fc.oneof({ weight: 9, arbitrary: number }, fc.anything()), { minLength: 3, maxLength: 3 }), {
      minLength: 2,
      maxLength: 2,
    }),
    fc.anything(),
  )
  const input = fc.oneof(
    fc.record({ tensor }),
    fc.record({ tensor: fc.tuple(tensor) }),
    fc.record({ image: fc.oneof(fc.base64String(), fc.string(), fc.webUrl(), fc.constant('data:image/png;base64,')) }),
    fc.anything(),
  )
  const body = fc.record({ inputs: fc.oneof(fc.array(input, { maxLength: 10 }), fc.anything()) })
  const written = body.map((value) => {
    try {
      return Buffer.from(JSON.stringify(value) ?? '')
    } catch {
      return Buffer.from('')
    }
  })

  it('of any kind is answered', async () => {
    await check(text(fc.json()), json)
  })

  it('of nearly the right form is answered', async () => {
    await check(written, json)
  })

  it('damaged on its way is answered', async () => {
    await check(mutated(written), json)
  })
})

describe('a multipart form', () => {
  const name = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('__proto__', 'constructor', '', 'a"b', '\r\n'))
  const part = fc
    .record({
      name: fc.option(name),
      filename: fc.option(fc.oneof(name, fc.constantFrom('../../etc/passwd', 'a.png', "utf-8''%ff"))),
      type: fc.option(fc.constantFrom('image/png', 'application/json', 'text/plain; charset=utf-7', 'multipart/mixed')),
      more: fc.array(fc.string({ maxLength: 30 }), { maxLength: 3 }),
      content: fc.oneof(bytes, text(fc.constantFrom('--b', '--b--', '\r\n--b', '\r\n--b--\r\n', '{"a":'))),
    })
    .map(({ name, filename, type, more, content }) => {
      const disposition = `content-disposition: form-data${name === null ? '' : `; name="${name}"`}`
      const head = [
        `${disposition}${filename === null ? '' : `; filename="${filename}"`}`,
        ...(type === null ? [] : [`content-type: ${type}`]),
        ...more,
      ]
      return Buffer.concat([Buffer.from(`--b\r\n${head.join('\r\n')}\r\n\r\n`), content, Buffer.from('\r\n')])
    })
  const form = fc
    .tuple(fc.array(part, { maxLength: 12 }), fc.constantFrom('--b--\r\n', '--b--', '--b', ''))
    .map(([parts, end]) => Buffer.concat([...parts, Buffer.from(end)]))

  it('of any parts is answered', async () => {
    await check(form, fc.constant('multipart/form-data; boundary=b'))
  })

  it('damaged on its way is answered', async () => {
    await check(mutated(form), fc.constant('multipart/form-data; boundary=b'))
  })
})

describe.each([
  ['a drawing', undefined],
  ['a photograph', PHOTOGRAPH_INPUT],
])('%s', (_, input) => {
  let pictures: Buffer[]

  beforeAll(async () => {
    const png = await drawDigit(5, { size: 60, pen: 0.05, paper: 240, ink: 20 })
    const alpha = sharp(png).ensureAlpha(0.5)
    pictures = await Promise.all([
      png,
      alpha.clone().png({ palette: true }).toBuffer(),
      alpha.clone().png({ progressive: true }).toBuffer(),
      sharp(png).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
      sharp(png).jpeg({ progressive: true }).toBuffer(),
      sharp(png).webp().toBuffer(),
      alpha.clone().webp({ lossless: true }).toBuffer(),
      sharp(png).toColourspace('cmyk').jpeg().toBuffer(),
      sharp(png).toColourspace('rgb16').png().toBuffer(),
      // So small that it is read on the event loop.
      sharp(png).resize(4, 4).png().toBuffer(),
    ])
  })
  const model = () => new FakeModel(input && { input })
  const type = fc.constantFrom('image/png', 'image/jpeg', 'image/webp')
  const picture = fc.nat(9).map((index) => pictures[index] as Buffer)

  it('damaged on its way is decoded or refused', async () => {
    await check(mutated(picture), type, undefined, model())
  })

  it('that is two of them, or one and something else, is decoded or refused', async () => {
    const other = fc.oneof(picture, bytes, text(fc.constantFrom('<svg/>', '%PDF-1.7', '<script>', 'PK\x03\x04')))
    const polyglot = fc
      .tuple(picture, other, fc.boolean())
      .map(([one, two, first]) => Buffer.concat(first ? [one, two] : [two, one]))
    await check(polyglot, type, undefined, model())
  })
})

describe('binary tensors', () => {
  it.each([
    ['one channel', undefined],
    ['three channels', PHOTOGRAPH_INPUT],
  ])('of any floats and any number are answered, for a model of %s', async (_, input) => {
    const floats = fc.float32Array({ maxLength: 70 }).map(({ buffer }) => Buffer.from(buffer))
    const type = fc.constant('application/octet-stream')
    await check(fc.oneof(floats, mutated(floats)), type, undefined, new FakeModel(input && { input }))
  })
})

describe('a query', () => {
  it('of any parameters is answered', async () => {
    const key = fc.constantFrom(
      'model',
      'version',
      'top_k',
      'include',
      'normalize',
      'encoding_format',
      'partial',
      '__proto__',
    )
    const value = fc.oneof(fc.string(), fc.constantFrom('true', '0', '-1', '1e9', 'logits,top', 'base64', '%00', '%ff'))
    const search = fc
      .array(fc.tuple(key, value), { maxLength: 5 })
      .map((pairs) => `?${pairs.map(([k, v]) => `${k}=${v.replace(/[^!-~]|[#%&+]/g, encodeURIComponent)}`).join('&')}`)
    const good = fc.constant(Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer))
    await check(good, fc.constant('application/octet-stream'), search)
  })
})

describe('any bytes on a connection', () => {
  it('are answered or the connection is closed, and the next client is served', async () => {
    const { open, othersAreServed } = await listening()
    const request = fc.constant(GOOD_REQUEST)
    const property = fc.asyncProperty(fc.oneof(mutated(request), bytes), async (sent) => {
      const { socket, closed, statuses } = await open()
      socket.end(sent)
      await closed
      expect(statuses().filter((status) => status >= 500)).toEqual([])
    })
    await fc.assert(property, { numRuns: RUNS, timeout: HANGS_AFTER_MS, interruptAfterTimeLimit: 45_000 })
    expect(await othersAreServed()).toBe(true)
  })
})
