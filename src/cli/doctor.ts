import { Command, Option } from 'commander'
import { ENGINE_NAMES, type EngineName } from '../engines/engine.ts'

interface Options {
  gpu: boolean
  json: boolean
  engine?: EngineName
}

/** `resnet-serve doctor`: what runs on this machine, how well, and why the rest does not. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('say what runs on this machine, how well, and why the rest does not; fit to paste into an issue')
    .option('--gpu', 'fail unless the engine cuda works, on every GPU', false)
    .option('--json', 'for machines', false)
    .addOption(new Option('--engine <name>', 'try this one alone, and fail unless it works').choices(ENGINE_NAMES))
    .action(async ({ gpu, json, engine }: Options) => {
      const { loadConfig } = await import('../server/config.ts')
      const { examine } = await import('./doctor/examine.ts')
      const { formatReport } = await import('./doctor/report.ts')
      const required = [...new Set([...(gpu ? (['cuda'] as const) : []), ...(engine ? [engine] : [])])]
      const report = await examine(loadConfig(), engine ? required : ENGINE_NAMES, (step) =>
        process.stderr.write(`looking at ${step}\n`),
      )
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
      const works = (name: EngineName) => report.engines.every((tried) => tried.engine !== name || tried.works)
      if (!required.every(works)) process.exitCode = 1
    })
}
