import { describe, expect, it, vi } from 'vitest'
import { type Input, ResnetClient } from '../../src/client/index.ts'
import { stream } from '../../src/client/stream.ts'
import { ServeError } from '../../src/errors.ts'
import { build } from '../helpers/build.ts'
import { answer, FakeModel } from '../helpers/fake-model.ts'
import { greyPng } from '../helpers/pictures.ts'
import { collect, HurriedClock, listen, listening, numbered, tensor } from './listening.ts'

/** A fake model that counts how often it computes each of the numbered inputs. */
function countingModel(): { model: FakeModel; computed: Map<number, number> } {
  const model = new FakeModel()
  const computed = new Map<number, number>()
  model.respond = async (inputs) => {
    for (const [, , number = -1] of inputs) computed.set(number, (computed.get(number) ?? 0) + 1)
    model.calls.length = 0
    return inputs.map(answer)
  }
  return { model, computed }
}

type Row = { index: number; embedding?: Float32Array; error?: { code: string } | undefined }

/** Each input's own number, or its error. */
const numbersOf = (rows: Row[]): unknown[] => rows.map(({ embedding, error }) => embedding?.[0] ?? error?.code)

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe('many inputs', () => {
  it('100,000 of them: in order, each computed once, no more held than concurrency * batchSize', async () => {
    const { model, computed } = countingModel()
    const { client } = await listening({ models: [model], limits: { maxInputs: 256 } })
    let [taken, received, most] = [0, 0, 0]
    async function* source(): AsyncGenerator<Input> {
      for (const input of numbered(100_000)) {
        taken++
        most = Math.max(most, taken - received)
        yield input
      }
    }
    for await (const row of client.embedAll(source(), { concurrency: 3, batchSize: 200 })) {
      if (row.error || row.index !== received || row.embedding[0] !== received) throw new Error(`${received} is wrong`)
      received++
    }
    expect(received).toBe(100_000)
    expect(most).toBe(600)
    expect(computed.size).toBe(100_000)
    expect(new Set(computed.values())).toEqual(new Set([1]))
  }, 180_000)

  it('have the results of classify too', async () => {
    const { client } = await listening()
    const rows = await collect(client.classifyAll([tensor(1), tensor(0, 1)], { include: ['logits'] }))
    expect(rows).toMatchObject([
      { index: 0, label: 'zero', logits: Float32Array.of(1, 0, 0) },
      { index: 1, label: 'one' },
    ])
  })

  it('may be pictures and tensors in turn, and a bad one fails alone', async () => {
    const { client } = await listening()
    const png = await greyPng(51)
    const inputs = [png, tensor(0, 0, 1), new Uint8Array([1]), png, tensor(0, 0, 4), { tensor: new Float32Array(5) }]
    const rows = await collect(client.embedAll(inputs))
    const grey = Math.fround(0.2)
    expect(rows.map(({ index }) => index)).toEqual(upTo(6))
    expect(numbersOf(rows)).toEqual([grey, 1, 'undecodable_image', grey, 4, 'invalid_tensor'])
  })

  it('make requests that are no larger than the server takes', async () => {
    const sizes: number[] = []
    const fetch: typeof globalThis.fetch = async (_, init) => {
      const pictures = [...(init as { body: FormData }).body.values()] as unknown as Blob[]
      sizes.push(pictures.reduce((sum, { size }) => sum + size, 0))
      return Response.json({ model: {}, dimensions: 1, results: pictures.map(() => ({ embedding: '' })) })
    }
    const client = new ResnetClient({ baseUrl: 'http://x', fetch })
    const inputs = Array.from({ length: 8 }, () => new Uint8Array(3_000_000))
    expect(await collect(client.embedAll(inputs))).toHaveLength(8)
    expect(sizes).toEqual([6e6, 6e6, 6e6, 6e6])
  })

  it('all have the error of their request where it fails, and the others their results', async () => {
    const { client, model } = await listening()
    model.respond = async (inputs) => {
      if (inputs.some((input) => input[2] === 5)) throw new ServeError('deadline_exceeded', 'late')
      return inputs.map(answer)
    }
    const rows = await collect(client.embedAll(numbered(8), { batchSize: 2 }))
    expect(numbersOf(rows)).toEqual([0, 1, 2, 3, 'deadline_exceeded', 'deadline_exceeded', 6, 7])
  })

  it('end at once where none can succeed', async () => {
    const { baseUrl } = await listening({ apiKeys: ['secret'] })
    const asked = collect(new ResnetClient({ baseUrl }).embedAll(numbered(100)))
    await expect(asked).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('lose nothing to overload, and are not computed twice', async () => {
    let requests = 0
    // Asked of one input when a request comes, and of all its inputs when it has been read.
    const refusal = (_: unknown, inputs: number) =>
      inputs === 1 && requests++ % 3 > 0 ? new ServeError('queue_full', 'full', { retryAfterS: 2 }) : undefined
    const { model, computed } = countingModel()
    const clock = new HurriedClock()
    const { client } = await listening({ models: [model], services: { refusal } }, { clock, maxRetries: 1000 })
    const rows = await collect(client.embedAll(numbered(400), { batchSize: 5 }))
    expect(numbersOf(rows)).toEqual(upTo(400))
    expect([...computed.values()]).toEqual(upTo(400).map(() => 1))
    expect(clock.waits.length).toBeGreaterThan(20)
    expect(Math.min(...clock.waits)).toBeGreaterThanOrEqual(2000)
  })

  it.each(['in order', 'at once'])('lose nothing to a restart of the server that ends %s', async (how) => {
    const first = countingModel()
    const second = countingModel()
    const clock = new HurriedClock()
    const options = { clock, maxRetries: Number.POSITIVE_INFINITY }
    const { app, port, client } = await listening({ models: [first.model] }, options)
    const rows: Row[] = []
    let restarted: Promise<unknown> | undefined
    const restart = async (): Promise<void> => {
      const closed = app.close()
      if (how === 'at once') app.server.closeAllConnections()
      await closed
      await vi.waitFor(() => expect(clock.waits.length).toBeGreaterThan(0))
      const next = await build({ models: [second.model] })
      await listen(next.app, port)
    }
    for await (const row of client.embedAll(numbered(1000), { batchSize: 8 })) {
      rows.push(row)
      if (rows.length === 200) restarted = restart()
    }
    await restarted
    expect(numbersOf(rows)).toEqual(upTo(1000))
    // Those that were under way when the connections were cut had no answer.
    const twice = [...first.computed.keys()].filter((number) => second.computed.has(number))
    expect(twice.every((number) => number >= 200)).toBe(true)
    expect(first.computed.size + second.computed.size - twice.length).toBe(1000)
    if (how === 'in order') expect(twice).toEqual([])
  })
})

describe('a stream', () => {
  /** Counts what is taken from it, and notes its end. */
  function watchedSource(count = Number.POSITIVE_INFINITY) {
    const state = { taken: 0, ended: false }
    async function* source(): AsyncGenerator<number> {
      try {
        while (state.taken < count) yield state.taken++
      } finally {
        state.ended = true
      }
    }
    return { state, source: source() }
  }

  const options = {
    concurrency: 2,
    batchSize: 3,
    fits: () => true,
    send: async (batch: readonly number[]) => batch.map((each) => each * 10),
    signal: undefined,
  }

  it('takes nothing before it is asked, and no more than it may hold', async () => {
    const { state, source } = watchedSource()
    const results = stream({ ...options, source })
    expect(state.taken).toBe(0)
    expect((await results.next()).value).toBe(0)
    await new Promise(setImmediate)
    expect(state.taken).toBeLessThanOrEqual(6)
    await results.return()
  })

  it('yields in order, whichever request is answered first', async () => {
    const answers: (() => void)[] = []
    const send = async (batch: readonly number[]): Promise<number[]> => {
      await new Promise<void>((resolve) => answers.push(resolve))
      return [...batch]
    }
    const all = collect(stream({ ...options, send, source: watchedSource(12).source }))
    for (let answered = 0; answered < 4; answered++) {
      await vi.waitFor(() => expect(answers.length).toBeGreaterThan(0))
      answers.pop()?.()
    }
    expect(await all).toEqual(upTo(12))
  })

  it('yields what is answered while the source keeps it waiting', async () => {
    async function* source(): AsyncGenerator<number> {
      yield* [0, 1, 2]
      await new Promise(() => {})
    }
    const results = stream({ ...options, source: source() })
    expect([(await results.next()).value, (await results.next()).value]).toEqual([0, 10])
  })

  it('ends its source and aborts its requests when its caller stops', async () => {
    const { state, source } = watchedSource()
    const signals: AbortSignal[] = []
    const send = (batch: readonly number[], signal: AbortSignal): Promise<number[]> => {
      signals.push(signal)
      return batch[0] === 0 ? Promise.resolve([...batch]) : new Promise(() => {})
    }
    for await (const result of stream({ ...options, send, source })) if (result === 1) break
    await vi.waitFor(() => expect(state).toEqual({ taken: 6, ended: true }))
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  it('stops taking when it is aborted, even if its source says nothing', async () => {
    const controller = new AbortController()
    const { state, source } = watchedSource()
    const endless = { ...options, source, send: () => new Promise<number[]>(() => {}), signal: controller.signal }
    const asked = stream(endless).next()
    await vi.waitFor(() => expect(state.taken).toBe(6))
    controller.abort('enough')
    await expect(asked).rejects.toMatchObject({ code: 'aborted', cause: 'enough' })
    expect(state).toEqual({ taken: 6, ended: true })

    async function* silent(): AsyncGenerator<number> {
      await new Promise(() => {})
    }
    const second = new AbortController()
    const waiting = stream({ ...options, source: silent(), signal: second.signal }).next()
    second.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
  })

  it('is not begun with a signal that is aborted', async () => {
    const { state, source } = watchedSource()
    const results = stream({ ...options, source, signal: AbortSignal.abort() })
    await expect(results.next()).rejects.toMatchObject({ code: 'aborted' })
    expect(state.taken).toBe(0)
  })

  it.each(['source', 'request'])('yields what comes before the failure of a %s, and then throws', async (which) => {
    async function* source(): AsyncGenerator<number> {
      yield* upTo(7)
      if (which === 'source') throw new Error('torn')
      yield* [7, 8, 9, 10]
    }
    const send = async (batch: readonly number[]): Promise<number[]> => {
      if (batch.includes(8)) throw new Error('torn')
      return [...batch]
    }
    const received: number[] = []
    const receive = async (): Promise<void> => {
      for await (const result of stream({ ...options, send, source: source() })) received.push(result)
    }
    await expect(receive()).rejects.toThrow('torn')
    expect(received).toEqual(upTo(which === 'source' ? 7 : 6))
  })
})
