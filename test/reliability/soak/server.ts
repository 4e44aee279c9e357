import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killAtExit } from '../../../bench/child-process.ts'
import { freePort } from '../../../bench/server-process.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** Two doubles: 32 inputs in 148 ms on both cores or 296 on one, 216 a second, about what two cores do in fp32. */
const DOUBLE = { ENGINE_PROCESSES: '2', DOUBLE_FIXED_MS: '20', DOUBLE_PER_INPUT_MS: '4' }

/** The server in a process of its own: the built one, or the one with the double of the engine. */
export class SoakServer {
  readonly url: string
  readonly #process: ChildProcess

  static async start(kind: 'built' | 'double', env: NodeJS.ProcessEnv = {}): Promise<SoakServer> {
    const port = await freePort()
    const args =
      kind === 'built'
        ? [join(ROOT, 'dist/server/main.js')]
        : ['--import', 'tsx', join(import.meta.dirname, 'double-server.ts')]
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, LOG_LEVEL: 'error', ...DOUBLE, ...env, PORT: String(port) },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    killAtExit(child)
    const server = new SoakServer(child, `http://127.0.0.1:${port}`)
    while ((await server.status('/readyz')) !== 200) {
      if (child.exitCode !== null) throw new Error(`the server ended with exit code ${child.exitCode}`)
      await sleep(20)
    }
    return server
  }

  private constructor(child: ChildProcess, url: string) {
    this.#process = child
    this.url = url
  }

  /** Of a GET; 0 when there was no answer within a second. */
  async status(path: string): Promise<number> {
    try {
      const answer = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(1000) })
      await answer.arrayBuffer()
      return answer.status
    } catch {
      return 0
    }
  }

  /** Values of /metrics by the name of their series. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(
      lines.map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))]
      }),
    )
  }

  /** Resident memory of the HTTP process in MiB. */
  get rssMiB(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024
  }

  get sockets(): number {
    const folder = `/proc/${this.#process.pid}/fd`
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(join(folder, fd)).startsWith('socket:')
      } catch {
        return false
      }
    }).length
  }

  /** To the HTTP process. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name)
  }

  /** Kills all engine processes at once. */
  killEngine(): void {
    const children = readFileSync(`/proc/${this.#process.pid}/task/${this.#process.pid}/children`, 'utf8')
    for (const engine of children.trim().split(' ')) process.kill(Number(engine), 'SIGKILL')
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await ended
  }
}
