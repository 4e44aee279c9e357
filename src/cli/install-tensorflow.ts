import { Command, Option } from 'commander'
import type { InstallRecord, Request } from './tensorflow/record.ts'

interface Options {
  gpu: boolean
  from: Request['from']
  path?: string
  force: boolean
  json: boolean
}

/** `resnet-serve install-tensorflow`: native TensorFlow for the engines `cuda` and `tensorflow` (docs/gpu.md). */
export function installTensorflowCommand(): Command {
  return new Command('install-tensorflow')
    .description('install native TensorFlow and its Node addon into TENSORFLOW_DIR, and test them')
    .option('--gpu', 'the CUDA build, with the NVIDIA libraries it needs', false)
    .addOption(
      new Option('--from <source>', 'source of libtensorflow: the Python wheel, an official C tarball, or a folder')
        .choices(['wheel', 'tarball', 'dir'])
        .default('wheel'),
    )
    .option('--path <path>', 'the tarball, the folder with lib/ and include/, or a folder of wheels to use offline')
    .option('--force', 'reinstall even if the installed one works', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve install-tensorflow
  resnet-serve install-tensorflow --gpu
  resnet-serve install-tensorflow --gpu --path wheels/ --json`,
    )
    .action(async ({ path, json, ...options }: Options) => {
      const { loadConfig } = await import('../server/config.ts')
      const { installTensorflow } = await import('./tensorflow/install.ts')
      const { terminalProgress } = await import('./tensorflow/progress.ts')
      const folder = loadConfig().TENSORFLOW_DIR
      const record = await installTensorflow({ ...options, path, folder, progress: terminalProgress() })
      process.stdout.write(json ? `${JSON.stringify({ folder, ...record }, null, 2)}\n` : report(folder, record))
    })
}

function report(folder: string, { tensorflow, cuda, devices, request }: InstallRecord): string {
  const source = Object.keys(request.sources)[0] ?? request.from
  return [
    `TensorFlow ${tensorflow}, ${cuda ? 'with' : 'without'} CUDA, on ${devices.join(', ')}`,
    `  from   ${source}`,
    `  addon  ${request.addon}`,
    `  in     ${folder}`,
    '',
  ].join('\n')
}
