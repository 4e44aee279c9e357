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

/** Runs `module` in a process of its own on `job`, and resolves with its result once that process has ended. */
export function runInChild<Job extends object, Result>(module: URL, job: Job): Promise<Result> {
  // stdout is for the report alone: what a library in the child prints goes to stderr.
  const child = fork(module, {
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: ['--import', 'tsx'],
  })
  killAtExit(child)
  return new Promise((resolve, reject) => {
    let result: { value: Result } | undefined
    child.once('message', (value) => {
      result = { value: value as Result }
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (result !== undefined) resolve(result.value)
      else reject(new Error(`${module.pathname.split('/').at(-1)} ended with ${signal ?? `exit code ${code}`}`))
    })
    child.send(job)
  })
}

/** The child's side of `runInChild`. A rejection ends the process with a stack on stderr. */
export function answerJob<Job, Result extends object>(work: (job: Job) => Promise<Result>): void {
  process.once('disconnect', () => process.exit(1))
  process.once('message', async (job) => {
    const result = await work(job as Job)
    process.send?.(result, () => process.exit(0))
  })
}
