import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'
import { infer } from '../../src/routes/infer.ts'
import { build } from '../helpers/build.ts'
import { settle } from '../helpers/fake-clock.ts'
import { answer } from '../helpers/fake-model.ts'
import { floats, greyPng } from '../helpers/pictures.ts'

/** Longer than any test. */
const MS = 1_000_000

async function create() {
  const { app, model, services } = await build()
  await app.listen({ port: 0 })
  const wait = () => {
    const state = { ended: false }
    void services.inFlight.ended(systemClock, MS).then(() => {
      state.ended = true
    })
    return state
  }
  const open = async () => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { model, services, wait, open }
}

describe('who takes a model away waits for', () => {
  it('a request that was given it and whose body is still coming, which has its answer', async () => {
    const { model, services, wait, open } = await create()
    const get = vi.spyOn(services.models, 'get')
    const part = Buffer.concat([
      Buffer.from('--b\r\ncontent-disposition: form-data; name="f"; filename="f.png"\r\n\r\n'),
      await greyPng(1),
      Buffer.from('\r\n--b--\r\n'),
    ])
    const socket = await open()
    socket.write('POST /embed HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=b\r\n')
    socket.write(`content-length: ${part.length}\r\n\r\n`)
    socket.write(part.subarray(0, 10))
    // Once to be admitted, and once to be given the model.
    await vi.waitFor(() => expect(get).toHaveBeenCalledTimes(2))
    services.models.remove(model.manifest.name, model.manifest.version)
    const waiting = wait()
    await settle()
    expect(waiting.ended).toBe(false)
    socket.write(part.subarray(10))
    const [text] = await once(socket, 'data')
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/)
    await vi.waitFor(() => expect(waiting.ended).toBe(true))
  })

  it('no request whose client has left', async () => {
    const { services, wait, open } = await create()
    const get = vi.spyOn(services.models, 'get')
    const socket = await open()
    socket.write(
      'POST /embed HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-length: 9\r\n\r\n',
    )
    await vi.waitFor(() => expect(get).toHaveBeenCalled())
    const waiting = wait()
    socket.destroy()
    await vi.waitFor(() => expect(waiting.ended).toBe(true))
  })

  it('an inference of any protocol', async () => {
    const { model, services, wait } = await create()
    let respond = (): void => {}
    model.respond = (inputs) => new Promise((resolve) => (respond = () => resolve(inputs.map(answer))))
    const values = floats(1, 2, 3, 4, 5, 6)
    const inferring = infer(services, { model, inputs: [{ values }], deadline: systemClock.now() + MS })
    await vi.waitFor(() => expect(model.calls).toHaveLength(1))
    const waiting = wait()
    await settle()
    expect(waiting.ended).toBe(false)
    respond()
    await inferring
    await vi.waitFor(() => expect(waiting.ended).toBe(true))
  })
})
