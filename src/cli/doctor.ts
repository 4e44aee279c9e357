import { Command, Option } from 'commander'
import { ENGINE_NAMES, type EngineName } from '../engines/engine.ts'

interface Options {
  gpu: boolean
  json: boolean
  engine?: EngineName
}

/** `resnet-serve doctor`: which engines run on this machine, how well, and why others do not. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('report which engines run on this machine, how well, and why others do not (for issues)')
    .option('--gpu', 'fail unless the engine cuda works on every GPU', false)
    .option('--json', 'print JSON', false)
    .addOption(new Option('--engine <name>', 'try only this engine, and fail unless it works').choices(ENGINE_NAMES))
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve doctor
  resnet-serve doctor --gpu
  resnet-serve doctor --engine onnx --json`,
    )
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
