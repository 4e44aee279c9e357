import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { exists } from './files.ts'
import { RECORD_FILE, type Request } from './record.ts'

/** What a finished install consists of. The record comes last: without it, there is no install. */
const PARTS = ['package.json', 'package-lock.json', 'node_modules', RECORD_FILE]

/**
 * `<dir>/.work`: an install is built here and moved to its place when it has proved itself, so that an earlier one works
 * until then. Steps that are done are remembered, and a killed install goes on after the last of them.
 */
export class Work {
  readonly downloads: string
  /** Becomes the install. */
  readonly tree: string
  readonly #folder: string
  readonly #root: string
  readonly #request: Request
  #done: string[] = []

  private constructor(root: string, request: Request) {
    this.#root = root
    this.#request = request
    this.#folder = workFolder(root)
    this.downloads = join(this.#folder, 'downloads')
    this.tree = join(this.#folder, 'tree')
  }

  /** Continues where an earlier attempt at the same request ended; one at another request is thrown away. */
  static async open(root: string, request: Request): Promise<Work> {
    const work = new Work(root, request)
    const plan = await readPlan(work.#planFile)
    if (plan !== undefined && isDeepStrictEqual(plan.request, request)) work.#done = plan.done
    else await rm(work.#folder, { recursive: true, force: true })
    await mkdir(work.downloads, { recursive: true })
    return work
  }

  get #planFile(): string {
    return join(this.#folder, 'plan.json')
  }

  isDone(step: string): boolean {
    return this.#done.includes(step)
  }

  /** Runs a step unless an earlier attempt has completed it. A step that was cut off runs again from its start. */
  async step(name: string, run: () => Promise<void>): Promise<void> {
    if (this.isDone(name)) return
    await run()
    this.#done.push(name)
    await writeFile(`${this.#planFile}.new`, JSON.stringify({ request: this.#request, done: this.#done }))
    await rename(`${this.#planFile}.new`, this.#planFile)
  }

  /** Moves the tree to its place, part by part; cut off, it is continued by the next attempt. Then `.work` goes. */
  async moveIntoPlace(): Promise<void> {
    if (await exists(join(this.tree, RECORD_FILE))) await rm(join(this.#root, RECORD_FILE), { force: true })
    await mkdir(join(this.#folder, 'old'), { recursive: true })
    for (const part of PARTS) {
      const from = join(this.tree, part)
      if (!(await exists(from))) continue
      const to = join(this.#root, part)
      // Out of the way rather than deleted in place, which takes seconds during which there is neither.
      const old = join(this.#folder, 'old', part)
      await rm(old, { recursive: true, force: true })
      if (await exists(to)) await rename(to, old)
      await rename(from, to)
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** What a killed attempt may have left. */
export function workFolder(root: string): string {
  return join(root, '.work')
}

async function readPlan(path: string): Promise<{ request: Request; done: string[] } | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as { request: Request; done: string[] }
  } catch {
    return undefined
  }
}
