import { Command } from 'commander'
import type { ClassifyOptions } from './classify/classify-pictures.ts'
import { EXIT } from './command-error.ts'
import { interruptible } from './interruption.ts'
import { addModelOptions } from './predictor/options.ts'
import { wholeNumber } from './whole-number.ts'

/** `resnet-serve classify <pictures...>`: the likeliest classes of each picture, on the terminal. */
export function classifyCommand(): Command {
  const command = new Command('classify')
    .description('print the likeliest classes of pictures')
    .argument('<pictures...>', 'files, globs, or folders of .png, .jpg, .jpeg and .webp')
  return addModelOptions(command)
    .option('--top-k <n>', 'classes to print', wholeNumber, 1)
    .option('--json', 'print a line of JSON for each picture', false)
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve classify seven.png
  resnet-serve classify 'scans/*.png' --top-k 3 --json
  resnet-serve classify photos/ --url http://classifier:8080

Exit codes: 0 every picture has a class, 1 an error, 2 wrong usage, 3 some have none, 130 SIGINT, 143 SIGTERM`,
    )
    .action((names: string[], options: ClassifyOptions) =>
      interruptible(async (signal) => {
        const { classifyPictures } = await import('./classify/classify-pictures.ts')
        if (!(await classifyPictures(names, options, signal))) process.exitCode = EXIT.partial
      }),
    )
}
