import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { classify, startReady, startServer } from '../helpers/server-process.ts'

/** Sends the process SIGTERM as soon as it has set a handler for it, while it loads its first modules. */
const SIGTERM_AT_ONCE = `data:text/javascript,process.on('newListener', (name) => {
  if (name === 'SIGTERM') setImmediate(() => process.kill(process.pid, name))
})`

describe('SIGTERM', () => {
  it('while the program is being loaded ends it, with nothing to finish', async () => {
    const { exited, stderr } = startServer({ env: { PORT: '0' }, execArgv: ['--import', SIGTERM_AT_ONCE] })
    expect(await exited).toBe(0)
    expect(stderr()).toBe('')
  })

  it('while the model is being loaded ends it without the delay that is for balancers', async () => {
    const { child, exited, lines, logged } = startServer({ env: { PORT: '0', DRAIN_DELAY_MS: '600000' } })
    await logged(/^Server listening/)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(lines.map(({ msg }) => msg)).not.toContain('ready')
  })

  it('lets it go on serving for DRAIN_DELAY_MS, not ready and alive', async () => {
    const { child, exited, url, logged } = await startReady({ env: { DRAIN_DELAY_MS: '3000' } })
    const draining = logged(/^SIGTERM/)
    child.kill('SIGTERM')
    await draining
    const [ready, alive, answer] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/livez`), classify(url)])
    expect([ready.status, alive.status, answer.status]).toEqual([503, 200, 200])
    expect(answer.headers.get('connection')).toBe('close')
    expect(await exited).toBe(0)
  })

  it('loses nothing that was sent before it', async () => {
    const { child, exited, url } = await startReady({ env: { DRAIN_DELAY_MS: '1000' } })
    const answers = Array.from({ length: 50 }, () => classify(url).then(({ status }) => status))
    await Promise.race(answers)
    child.kill('SIGTERM')
    expect(await Promise.all(answers)).toEqual(answers.map(() => 200))
    expect(await exited).toBe(0)
  })

  it('counts once: more of them change nothing', async () => {
    const { child, exited, lines, logged } = await startReady({ env: { DRAIN_DELAY_MS: '1500' } })
    const draining = logged(/^SIGTERM/)
    child.kill('SIGTERM')
    const { time: start } = await draining
    const again = setInterval(() => child.kill('SIGTERM'), 200)
    expect(await exited).toBe(0)
    clearInterval(again)
    expect(lines.filter(({ msg }) => /shutting down/.test(msg))).toHaveLength(1)
    // Had each started the delay anew, or the first one been cut short, this would be the exit of a timeout.
    expect(lines.at(-1)).toMatchObject({ msg: 'done' })
    expect(Number(lines.at(-1)?.time) - Number(start)).toBeGreaterThanOrEqual(1500)
  })

  it('to the whole process group, as from a terminal or npm, ends server and engine in order', async () => {
    const { child, exited, url, lines } = await startReady({ detached: true, env: { DRAIN_DELAY_MS: '500' } })
    const answers = Array.from({ length: 20 }, () => classify(url).then(({ status }) => status))
    await Promise.race(answers)
    process.kill(-(child.pid as number), 'SIGTERM')
    expect(await Promise.all(answers)).toEqual(answers.map(() => 200))
    expect(await exited).toBe(0)
    expect(lines.map(({ msg }) => msg).filter((msg) => /engine failed/.test(msg))).toEqual([])
  })

  it('does not wait for clients that say nothing', async () => {
    const { child, exited, port } = await startReady({ env: { SHUTDOWN_TIMEOUT_MS: '50000' } })
    for (const bytes of ['', 'GET / HT', 'POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc']) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      onTestFinished(() => {
        socket.destroy()
      })
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.write(bytes)
    }
    await fetch(`http://127.0.0.1:${port}/livez`)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })
})
