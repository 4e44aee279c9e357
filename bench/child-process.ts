import { type ChildProcess, fork } from 'node:child_process'

const running = new Set<ChildProcess>()

/** Ends `child`, and the group that it leads, when this process ends other than by SIGKILL. */
export function killAtExit(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

process.on('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL')
    killGroup(child)
  }
})

/** Ends the group that `child` leads, if it leads one. */
export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone.
  }
}

// By default these signals end a process without its exit handlers.
for (const [signal, number] of [['SIGHUP', 1] as const, ['SIGINT', 2] as const, ['SIGTERM', 15] as const]) {
  process.once(signal, () => process.exit(128 + number))
}

/** A process of its own that runs `module`, which does one job after the other (`answerJobs`). */
export class Helper<Job extends object, Result> {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>

  constructor(module: URL) {
    // stdout is for the report alone: what a library in the child prints goes to stderr.
    this.#child = fork(module, {
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
      execArgv: ['--import', 'tsx'],
    })
    killAtExit(this.#child)
    const name = module.pathname.split('/').at(-1)
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', ({ message }) => resolve(message))
      this.#child.once('exit', (code, signal) => resolve(`${name} ended with ${signal ?? `exit code ${code}`}`))
    })
  }

  /** One at a time. Rejects when the process ends instead of answering. */
  call(job: Job): Promise<Result> {
    return new Promise((resolve, reject) => {
      void this.#ended.then((reason) => reject(new Error(reason)))
      this.#child.once('message', (value) => resolve(value as Result))
      this.#child.send(job, (error) => error && reject(error))
    })
  }

  /** Resolves once the process has ended. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#ended
  }
}

/** One job in a process of its own, which has ended when this resolves. */
export async function runInChild<Job extends object, Result>(module: URL, job: Job): Promise<Result> {
  const helper = new Helper<Job, Result>(module)
  try {
    return await helper.call(job)
  } finally {
    await helper.end()
  }
}

/** The child's side. A rejection ends the process with a stack on stderr. */
export function answerJobs<Job, Result extends object>(work: (job: Job) => Promise<Result>): void {
  process.once('disconnect', () => process.exit(0))
  process.on('message', async (job) => void process.send?.(await work(job as Job)))
}
