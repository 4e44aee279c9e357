import { extname } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { EXIT } from './command-error.ts'
import type { EmbedOptions } from './embed/embed-pictures.ts'
import { FORMATS, type Format } from './embed/format.ts'
import { parseShard } from './embed/shard.ts'
import { interruptible } from './interruption.ts'
import { addModelOptions } from './predictor/options.ts'

/** `resnet-serve embed <pictures...>`: the embeddings of many pictures, in a file. */
export function embedCommand(): Command {
  const command = new Command('embed')
    .description('write the embeddings of pictures to a file; run again, it goes on where it stopped')
    .argument('<pictures...>', 'files, globs, or folders of .png, .jpg, .jpeg and .webp')
    .requiredOption('--out <file>', 'x.jsonl, x.npy (with x.paths.jsonl) or x.parquet', output)
  return addModelOptions(command)
    .option('--normalize', 'scale embeddings to length 1', false)
    .option('--shard <i/n>', 'only the i-th of n parts, from 0, so that n machines share the work', parseShard)
    .option('--restart', 'forget what earlier runs did', false)
    .option('--retry-failed', 'try again what failed in earlier runs', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Answers are kept in <out>.journal, from which <out> is written at the end.

Examples:
  resnet-serve embed photos/ --out photos.parquet
  resnet-serve embed 'scans/**/*.png' --out scans.npy --model documents --normalize
  resnet-serve embed photos/ --out part-0.jsonl --shard 0/4
  resnet-serve embed photos/ --out photos.npy --url http://embeddings:8080

Exit codes: 0 every picture has its embedding, 1 an error, 2 wrong usage,
3 done but for pictures that have none (they are listed), 130 SIGINT, 143 SIGTERM`,
    )
    .action((names: string[], options: EmbedOptions) =>
      interruptible(async (signal) => {
        const { embedPictures } = await import('./embed/embed-pictures.ts')
        if (!(await embedPictures(names, options, signal))) process.exitCode = EXIT.partial
      }),
    )
}

function output(path: string): EmbedOptions['out'] {
  const format = extname(path).slice(1) as Format
  if (!FORMATS.includes(format)) throw new InvalidArgumentError(`it must end with .${FORMATS.join(', .')}.`)
  return { path, format }
}
