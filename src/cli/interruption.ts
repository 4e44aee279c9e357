import { CommandError, EXIT } from './command-error.ts'

/**
 * Runs `work` with a signal that SIGINT and SIGTERM abort: it then ends early in good order, and this throws the exit code.
 * A second SIGINT ends the process at once.
 */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  let received: 'SIGINT' | 'SIGTERM' | undefined
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (received === 'SIGINT' && signal === 'SIGINT') process.exit(EXIT.sigint)
    received = signal
    controller.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    await work(controller.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
  if (received) throw new CommandError('', { exitCode: received === 'SIGINT' ? EXIT.sigint : EXIT.sigterm })
}
