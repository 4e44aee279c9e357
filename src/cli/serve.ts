import { Command } from 'commander'

/** `resnet-serve serve`, and `resnet-serve` alone: the server, configured by the environment. */
export function serve(): Command {
  return new Command('serve')
    .description('start the server; options are environment variables (docs/configuration.md)')
    .addHelpText(
      'after',
      `
It logs JSON lines on stdout. SIGTERM ends it after the requests in flight.

Examples:
  resnet-serve
  PORT=9000 MODEL_REPOSITORY=/models resnet-serve serve
  HOST=0.0.0.0 ENGINE=cuda API_KEYS=secret resnet-serve serve`,
    )
    .action(async () => {
      await import('../server/main.ts')
    })
}
