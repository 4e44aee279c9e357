import { Command, InvalidArgumentError, Option } from 'commander'
import type { ImportOptions } from './import/import-model.ts'

/** `resnet-serve import <file or folder>`: makes a served model of what PyTorch saved. */
export function importCommand(): Command {
  return new Command('import')
    .description('make a model of a checkpoint that PyTorch saved (docs/your-model.md)')
    .argument('<file or folder>', 'a .pt, .pth, .ckpt, .bin or .safetensors, or a folder of transformers or timm')
    .requiredOption('--name <name>', 'name of the model')
    .option('--version <version>', 'version of the model', '1')
    .option('--repository <dir>', 'model repository to write to (default: MODEL_REPOSITORY)')
    .option('--labels <file>', 'class names: a line each, or JSON')
    .option(
      '--preprocessing <preset or file>',
      'torchvision, timm, huggingface, or JSON (default: what lies beside the weights)',
    )
    .option('--size <HxW>', 'size of the input in pixels', size)
    .addOption(
      new Option('--weights-dtype <dtype>', 'precision on disk (default: as in the file)').choices(['fp16', 'fp32']),
    )
    .option('--prefix <prefix>', 'where the ResNet lies, if there are several')
    .option('--ema', 'take averaged weights', false)
    .option('--check <file>', "a .safetensors of inputs with PyTorch's own answers, to settle what is open")
    .addOption(
      new Option('--stride-on <conv>', 'stride of bottlenecks: 3x3 (v1.5) or 1x1 (v1)').choices(['3x3', '1x1']),
    )
    .addOption(
      new Option('--shortcut <kind>', 'shortcuts').choices([
        'projection',
        'pooled-projection',
        'zero-pad',
        'zero-pad-after',
      ]),
    )
    .addOption(new Option('--stem-stride <n>', 'stride of the first convolution').choices(['1', '2']))
    .addOption(new Option('--max-pool <answer>', 'a max-pool after the first convolution').choices(['yes', 'no']))
    .addOption(new Option('--hidden-activation <kind>', "between a classifier's layers").choices(['relu', 'none']))
    .option('--calibration <dir>', 'images like those to be served: choose int8 scales too')
    .option('--force', 'replace the version if it exists', false)
    .option('--dry-run', 'say what was recognised, and write nothing', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve import resnet50.pth --name photos --labels labels.txt
  resnet-serve import runs/last.ckpt --name parts --check check.safetensors
  resnet-serve import ./microsoft-resnet-50 --name photos --calibration pictures/`,
    )
    .action(async (path: string, options: ImportOptions) => {
      const { importModel } = await import('./import/import-model.ts')
      await importModel(path, options)
    })
}

function size(text: string): [number, number] {
  const [, height, width] = /^(\d{1,4})x(\d{1,4})$/.exec(text) ?? []
  if (height === undefined || width === undefined || Number(height) < 1 || Number(width) < 1) {
    throw new InvalidArgumentError('height and width are needed, like 224x224.')
  }
  return [Number(height), Number(width)]
}
