#!/usr/bin/env node
import { pino } from 'pino'
import { ConfigError, loadConfig } from './config.ts'
import { createServing } from './serving.ts'
import { shutDown } from './shutdown.ts'

/** Starts the server from the environment, and ends it on SIGTERM or SIGINT. The only file that listens. */
async function main(): Promise<void> {
  const config = loadConfig()
  const logger = pino({ level: config.LOG_LEVEL })
  const fail = (reason: unknown): void => {
    logger.fatal({ err: reason instanceof Error ? reason : undefined }, String(reason))
    process.exit(1)
  }
  const serving = await createServing(config, logger, fail)

  let ending = false
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (ending) return
    ending = true
    logger.info(`${signal}: shutting down`)
    const clean = await shutDown(serving, {
      drainDelayMs: config.DRAIN_DELAY_MS,
      timeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    })
    logger.info(clean ? 'done' : 'requests were still in flight')
    process.exit(clean ? 0 : 1)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)

  // HTTP first: /livez and /readyz answer while the model loads.
  await serving.app.listen({ host: config.HOST, port: config.PORT })
  try {
    await serving.start()
  } catch (error) {
    if (ending) return
    throw error
  }
  logger.info({ startup_ms: Math.round(process.uptime() * 1000) }, 'ready')
}

main().catch((error: Error) => {
  process.stderr.write(`${error instanceof ConfigError ? 'configuration' : 'start-up'}: ${error.message}\n`)
  process.exit(1)
})
