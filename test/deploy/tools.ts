import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { OPTIONS } from '../../src/server/options.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
export const CHART = join(ROOT, 'deploy/helm/resnet-serve')
/** Where the balancers listen, and where a replica does. */
export const BALANCER_PORT = 80
export const REPLICA_PORT = 8080

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a program that run.sh has put into PATH. */
export function run(program: string, args: string[], input?: string): Finished {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: ROOT, input, encoding: 'utf8' })
  if (error) throw error
  return { code: status, stdout, stderr }
}

/** Its output; fails with what it says where it fails. */
export function output(program: string, args: string[], input?: string): string {
  const { code, stdout, stderr } = run(program, args, input)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr || stdout}`)
  return stdout
}

/** Environment variables that the server does not read. */
export function unknownOptions(names: string[]): string[] {
  return names.filter((name) => !Object.hasOwn(OPTIONS, name))
}

/** The default of one of the server's options. */
export function defaultOf(option: keyof typeof OPTIONS): number {
  return Number((OPTIONS[option] as unknown as { default: unknown }).default)
}
