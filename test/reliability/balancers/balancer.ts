import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const DEPLOY = resolve(import.meta.dirname, '../../../deploy')

interface Kind {
  config: string
  /** What stands in the shipped file for the port that it listens on. */
  listen: string
  command: (config: string, folder: string) => [string, string[]]
}

export const BALANCERS = {
  haproxy: {
    config: join(DEPLOY, 'haproxy/haproxy.cfg'),
    listen: 'bind :80',
    command: (config) => ['haproxy', ['-db', '-f', config]],
  },
  nginx: {
    config: join(DEPLOY, 'nginx/nginx.conf'),
    listen: 'listen 80',
    command: (config, folder) => ['nginx', ['-p', folder, '-c', config, '-g', `daemon off; pid ${folder}/pid;`]],
  },
} satisfies Record<string, Kind>

export type BalancerName = keyof typeof BALANCERS

export function isInstalled(name: BalancerName): boolean {
  return spawnSync(name, ['-v'], { env: withSbin() }).status === 0
}

/** A balancer with the shipped configuration, in which nothing is changed but the addresses. */
export class Balancer {
  readonly url: string
  readonly #process: ChildProcess
  readonly #folder: string

  static async start(name: BalancerName, port: number, replicas: { port: number }[]): Promise<Balancer> {
    const kind: Kind = BALANCERS[name]
    let text = readFileSync(kind.config, 'utf8')
    const put = (shipped: string, here: string): void => {
      if (!text.includes(shipped)) throw new Error(`${kind.config} has no ${shipped}`)
      text = text.replaceAll(shipped, here)
    }
    put(kind.listen, kind.listen.replace(/:?80$/, `127.0.0.1:${port}`))
    for (const [i, replica] of replicas.entries()) put(`replica${i + 1}:8080`, `127.0.0.1:${replica.port}`)
    const folder = mkdtempSync(join(tmpdir(), `${name}-`))
    const file = join(folder, 'config')
    writeFileSync(file, text)
    const [program, args] = kind.command(file, folder)
    const child = spawn(program, args, { env: withSbin(), stdio: ['ignore', 'ignore', 'inherit'] })
    const balancer = new Balancer(child, folder, `http://127.0.0.1:${port}`)
    await balancer.#untilServing()
    return balancer
  }

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#process = child
    this.#folder = folder
    this.url = url
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exited = once(this.#process, 'exit')
      // At once, for both: SIGTERM.
      this.#process.kill('SIGTERM')
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #untilServing(): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`the balancer ended: ${this.#process.exitCode}`)
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined)
      await answer?.arrayBuffer()
      if (answer?.status === 200) return
      await sleep(50)
    }
  }
}

/** Where Debian puts daemons, which is not on every user's path. */
function withSbin(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
}
