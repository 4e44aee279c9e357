import { Command } from 'commander'

/** `resnet-serve serve`, and `resnet-serve` alone: the server, configured by the environment. */
export function serve(): Command {
  return new Command('serve')
    .description('start the server; options are environment variables (docs/configuration.md)')
    .action(async () => {
      await import('../server/main.ts')
    })
}
