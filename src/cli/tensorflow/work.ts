import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { exists } from './files.ts'
import { RECORD_FILE, type Request } from './record.ts'

/** The parts of a finished install. The record comes last: without it, there is no install. */
const PARTS = ['package.json', 'package-lock.json', 'node_modules', RECORD_FILE]

/**
 * `<dir>/.work`: an install is built here and moved into place once it is tested, so that an earlier one works until
 * then. Finished steps are recorded, and a killed install continues after the last one.
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

  /** Continues an earlier attempt at the same request; discards one at another request. */
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

  /** Runs a step unless an earlier attempt finished it. An interrupted step runs again from its start. */
  async step(name: string, run: () => Promise<void>): Promise<void> {
    if (this.isDone(name)) return
    await run()
    this.#done.push(name)
    await writeFile(`${this.#planFile}.new`, JSON.stringify({ request: this.#request, done: this.#done }))
    await rename(`${this.#planFile}.new`, this.#planFile)
  }

  /** Moves the tree into place, part by part, and deletes `.work`. The next attempt continues an interrupted move. */
  async moveIntoPlace(): Promise<void> {
    if (await exists(join(this.tree, RECORD_FILE))) await rm(join(this.#root, RECORD_FILE), { force: true })
    await mkdir(join(this.#folder, 'old'), { recursive: true })
    for (const part of PARTS) {
      const from = join(this.tree, part)
      if (!(await exists(from))) continue
      const to = join(this.#root, part)
      // Moved, not deleted in place: that takes seconds in which there is neither.
      const old = join(this.#folder, 'old', part)
      await rm(old, { recursive: true, force: true })
      if (await exists(to)) await rename(to, old)
      await rename(from, to)
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** What an interrupted attempt may have left. */
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
