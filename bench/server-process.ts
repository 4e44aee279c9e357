import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { killAtExit, killGroup } from './child-process.ts'
import { type CpuReading, readCpu } from './cpu.ts'
import { type Memory, memoryOf } from './memory.ts'

export interface ServerCommand {
  /** Program and arguments. It listens on the HOST and PORT of its environment. */
  argv: [string, ...string[]]
  /** Answers 200 to GET when requests can be sent. */
  readyPath: string
}

const node = (...args: string[]): ServerCommand => ({ argv: [process.execPath, ...args], readyPath: '/readyz' })

/** The server of a checkout, as it is deployed. */
export const deployed = (checkout: string): ServerCommand => node(join(checkout, 'dist/server/main.js'))
export const DEPLOYED = deployed(fileURLToPath(new URL('..', import.meta.url)))
/** The same with an engine that computes nothing. */
export const NULL_ENGINE = node('--import', 'tsx', fileURLToPath(new URL('./null/server.ts', import.meta.url)))

/** Also the resolution of the start-up time. */
const POLL_INTERVAL_MS = 10
/** Long, since an engine may run every batch size once before it is ready. */
const READY_TIMEOUT_MS = 300_000
const STOP_TIMEOUT_MS = 15_000

/** A server in a process group of its own, on a port of its own. */
export class ServerProcess {
  readonly url: string
  /** From the spawn until the ready path said 200. */
  readonly startupMs: number
  /** To all loads so far. */
  answered = 0
  readonly #process: ChildProcess

  /** Resolves when the server is ready. `env` is all it sees. Rejects when it ends or takes too long; nothing is left. */
  static async start(command: ServerCommand, env: NodeJS.ProcessEnv): Promise<ServerProcess> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const [program, ...args] = command.argv
    const start = performance.now()
    const child = spawn(program, args, {
      env: { ...env, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn' },
      detached: true,
      // stdout is for the report alone.
      stdio: ['ignore', 2, 2],
    })
    killAtExit(child)
    while (!(await isReady(url + command.readyPath))) {
      const end = endOf(child)
      if (end !== undefined) throw new Error(`the server ended before it was ready: ${end}`)
      if (performance.now() - start > READY_TIMEOUT_MS) {
        killGroup(child)
        throw new Error(`the server was not ready within ${READY_TIMEOUT_MS / 1000} s`)
      }
      await sleep(POLL_INTERVAL_MS)
    }
    return new ServerProcess(child, url, performance.now() - start)
  }

  private constructor(child: ChildProcess, url: string, startupMs: number) {
    this.#process = child
    this.url = url
    this.startupMs = startupMs
  }

  /** How it ended, once it has. */
  get ended(): string | undefined {
    return endOf(this.#process)
  }

  memory(): Memory | undefined {
    return this.#process.pid === undefined ? undefined : memoryOf(this.#process.pid)
  }

  cpu(): CpuReading {
    return readCpu(this.#process.pid ?? 0)
  }

  async stop(): Promise<void> {
    if (this.ended === undefined) {
      const ended = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      const timer = setTimeout(() => killGroup(this.#process), STOP_TIMEOUT_MS)
      await ended
      clearTimeout(timer)
    }
    // Whatever the server started and left behind.
    killGroup(this.#process)
  }
}

/** Starts a server for `use` alone. */
export async function withServer<T>(
  command: ServerCommand,
  env: NodeJS.ProcessEnv,
  use: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start(command, env)
  try {
    return await use(server)
  } catch (error) {
    // Otherwise the run would fail with whatever connection broke first.
    throw server.ended === undefined ? error : new Error(`the server ended in the middle: ${server.ended}`)
  } finally {
    await server.stop()
  }
}

/** Starts all of them, one after the other, for `use` alone. */
export function withServers<T>(
  [first, ...rest]: { command: ServerCommand; env: NodeJS.ProcessEnv }[],
  use: (servers: ServerProcess[]) => Promise<T>,
): Promise<T> {
  if (first === undefined) return use([])
  return withServer(first.command, first.env, (server) => withServers(rest, (others) => use([server, ...others])))
}

function endOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return signalCode
  return exitCode === null ? undefined : `exit code ${exitCode}`
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
