import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'dist/server/main.js')

/** One server process as it is deployed, on a port that it keeps over restarts. */
export class Replica {
  readonly port: number
  readonly #env: NodeJS.ProcessEnv
  #process: ChildProcess | undefined

  constructor(port: number, env: NodeJS.ProcessEnv) {
    this.port = port
    this.#env = { ...process.env, LOG_LEVEL: 'warn', ...env, PORT: String(port) }
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [MAIN], { env: this.#env, stdio: ['ignore', 'inherit', 'inherit'] })
    this.#process = child
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`a replica ended with exit code ${child.exitCode}`)
      await sleep(50)
    }
  }

  /** Ends it in order, and starts it again. */
  async restart(): Promise<void> {
    await this.end('SIGTERM')
    await this.start()
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** SIGSTOP and SIGCONT: it hangs, with its sockets open. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal)
  }

  async #isReady(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`, { signal: AbortSignal.timeout(1000) })
      await answer.arrayBuffer()
      return answer.status === 200
    } catch {
      return false
    }
  }
}
