import { spawn } from 'node:child_process'
import { InstallError } from './tensorflow/install-error.ts'

interface CommandOptions {
  cwd?: string
  /** The whole environment: `childEnvironment` or `toolEnvironment`. */
  env: NodeJS.ProcessEnv
  /** Lets the command write to the terminal, to show its own progress; stdout is then not returned. */
  showOutput?: boolean
}

interface CommandResult {
  /** Null when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs a program to its end. Rejects with an InstallError if there is no such program, but not for its exit code. */
export function runCommand(command: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', options.showOutput ? 'inherit' : 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    child.stdout?.on('data', (chunk) => {
      output.stdout += String(chunk)
    })
    child.stderr?.on('data', (chunk) => {
      output.stderr += String(chunk)
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new InstallError(`${command} is not on the PATH`) : error)
    })
    child.once('close', (code, signal) => resolve({ code, signal, ...output }))
  })
}

/** The last lines that are not blank, for an error message. */
export function lastLines(text: string, count = 12): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n')
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
