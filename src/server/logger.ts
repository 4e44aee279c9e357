import { type Logger, type LoggerOptions, pino } from 'pino'

/** Of every request's line. */
export const REQUEST_LINE = 'request'

/**
 * JSON lines to stdout. Those of requests are written together, since a write for each would be a tenth of what an answer
 * costs: when there are 8 KiB, or after a second. Any other line writes at once, with all before it; so does the end of
 * the process, but not SIGKILL.
 */
export function createLogger(level: string): Logger {
  const stdout = pino.destination({ minLength: 8192, periodicFlush: 1000 })
  const hooks: LoggerOptions['hooks'] = {
    logMethod(args, method) {
      method.apply(this, args)
      if (args[1] !== REQUEST_LINE) stdout.flush()
    },
  }
  return pino({ level, hooks }, stdout)
}
