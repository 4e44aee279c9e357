/**
 * Exit codes of every command. `partial`: done, but some pictures have no answer, and another run would not change that. One
 * that a signal ended has 128 and the signal's number.
 */
export const EXIT = { failure: 1, usage: 2, partial: 3, sigint: 130, sigterm: 143 } as const

interface CommandErrorOptions {
  /** What the user can do about it; a line of its own. */
  hint?: string
  exitCode?: number
}

/** Why a command did not do what it was asked: one line for the user. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly hint: string | undefined
  readonly exitCode: number

  constructor(message: string, { hint, exitCode = EXIT.failure }: CommandErrorOptions = {}) {
    super(message)
    this.hint = hint
    this.exitCode = exitCode
  }
}
