#!/usr/bin/env node
/**
 * Starts the server from the environment, and ends it on SIGTERM or SIGINT. Nothing else listens.
 *
 * It has no static imports: the signal handlers must be in place before any library loads, since the kernel drops
 * signals that process 1 of a container does not handle.
 */
let end = (_signal: NodeJS.Signals): void => process.exit(0)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, (received) => end(received))

async function main(): Promise<void> {
  const { loadConfig } = await import('./config.ts')
  const { listen } = await import('./listen.ts')
  const { createLogger } = await import('./logger.ts')
  const { createServing } = await import('./serving.ts')
  const { shutDown } = await import('./shutdown.ts')

  const config = loadConfig()
  const logger = createLogger(config.LOG_LEVEL)
  const fail = (reason: unknown): void => {
    logger.fatal({ err: reason instanceof Error ? reason : undefined }, String(reason))
    process.exit(1)
  }
  const serving = await createServing(config, logger, fail)

  let ending = false
  end = (signal) => {
    // Further signals change nothing.
    if (ending) return
    ending = true
    logger.info(`${signal}: shutting down`)
    const options = { drainDelayMs: config.DRAIN_DELAY_MS, timeoutMs: config.SHUTDOWN_TIMEOUT_MS }
    shutDown(serving, options).then((clean) => {
      logger.info(clean ? 'done' : 'requests were still in flight')
      process.exit(clean ? 0 : 1)
    }, fail)
  }

  // HTTP comes first by default, so that /livez and /readyz answer while the model loads.
  if (config.LISTEN_WHEN === 'starting') await listen(serving, config)
  try {
    await serving.start()
  } catch (error) {
    if (ending) return
    throw error
  }
  if (config.LISTEN_WHEN === 'ready' && !ending) await listen(serving, config)
  logger.info({ startup_ms: Math.round(process.uptime() * 1000) }, 'ready')
}

main().catch((error: Error) => {
  process.stderr.write(`${error.name === 'ConfigError' ? 'configuration' : 'start-up'}: ${error.message}\n`)
  process.exit(1)
})

export {}
