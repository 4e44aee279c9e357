import { describe, expect, it } from 'vitest'
import { answer, FakeModel } from '../helpers/fake-model.ts'
import { GOOD_REQUEST, listening } from '../reliability/raw-client.ts'

/** A model that answers when it is told to. */
function gatedModel() {
  const model = new FakeModel()
  const gates: (() => void)[] = []
  model.respond = (inputs) => new Promise((resolve) => gates.push(() => resolve(inputs.map(answer))))
  return { model, gates, asked: () => model.calls.length }
}

/** Waits for what the server comes to. The limit is for a machine with no time for us. */
const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 30_000, interval: 5 })

const many = (count: number): Buffer => Buffer.concat(new Array(count).fill(GOOD_REQUEST))
const announcing = (bytes: number): string =>
  `POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: ${bytes}\r\n\r\nabc`

describe('requests sent on one connection without waiting for answers', () => {
  it('are served one after the other, and all answered', async () => {
    const { model, gates, asked } = gatedModel()
    const { open } = await listening({ models: [model] })
    const { answers } = await open(many(3))
    for (let served = 1; served <= 3; served++) {
      await eventually(asked).toBe(served)
      gates.shift()?.()
      await answers(served)
    }
  })

  it('hold up nobody else', async () => {
    const { model, gates, asked } = gatedModel()
    const { open } = await listening({ models: [model] })
    await open(many(100))
    await eventually(asked).toBe(1)
    const other = await open(GOOD_REQUEST)
    await eventually(asked).toBe(2)
    gates[1]?.()
    await other.answers(1)
    expect(asked()).toBe(2)
  })

  it('end the connection when there are too many of them', async () => {
    const { model, asked } = gatedModel()
    const { open } = await listening({ models: [model] })
    const greedy = await open(many(200))
    await greedy.closed
    expect(greedy.statuses()).toEqual([])
    expect(asked()).toBe(1)
  })

  it('are not even parsed once their connection has ended', async () => {
    const { app, open } = await listening({ models: [gatedModel().model] })
    let parsed = 0
    app.server.prependListener('request', () => parsed++)
    const greedy = await open(many(400))
    await greedy.closed
    // One under way, those that may wait, and the one too many.
    expect(parsed).toBe(130)
  })

  it('end the connection when too many wait on all connections together, and count only while they wait', async () => {
    const { model, asked } = gatedModel()
    const { open } = await listening({ models: [model] })
    for (let round = 0; round < 2; round++) {
      const before = asked()
      const greedy = await Promise.all(Array.from({ length: 8 }, () => open(many(120))))
      await eventually(() => asked() - before).toBe(8)
      const last = await open(many(120))
      await last.closed
      for (const { socket } of greedy) socket.destroy()
      await eventually(() => model.calls.filter(({ options }) => options.signal?.aborted).length).toBe(9 * (round + 1))
    }
  })

  it('are forgotten with the connection, and so are their bodies', async () => {
    const { model, gates, asked } = gatedModel()
    const { open } = await listening({ models: [model] })
    // All together they announce more than may be held at once.
    for (let i = 1; i <= 20; i++) {
      const leaver = await open(Buffer.concat([GOOD_REQUEST, Buffer.from(announcing(60_000))]))
      await eventually(asked).toBe(i)
      leaver.socket.destroy()
      await eventually(() => model.calls.at(-1)?.options.signal?.aborted).toBe(true)
      gates.shift()?.()
    }
    const client = await open(announcing(60_000))
    client.socket.write(Buffer.alloc(59_997))
    await client.answers(1)
    expect(client.statuses()).toEqual([422])
  })
})
