import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError } from 'commander'
import { withQuantization } from '../quantization/model-json.ts'
import type { Quantized } from '../quantization/quantize-model.ts'
import { inFile } from '../repository/in-file.ts'
import { loadGraph } from '../repository/load-graph.ts'
import { type Manifest, parseManifest } from '../repository/manifest.ts'
import { quantizeJson, quantizeReport } from './quantize-report.ts'
import { wholeNumber } from './whole-number.ts'

interface Options {
  calibration: string
  evaluate?: string
  samples: number
  fp32?: string[]
  minCosine: number
  threads: number
  dryRun?: boolean
  json?: boolean
}

/** What is taken unless an option says otherwise. */
export const QUANTIZE_DEFAULTS = { samples: 512, minCosine: 0.998, threads: availableParallelism() }

/** `resnet-serve quantize <model-dir>`: chooses the model's int8 scales, and writes them into its model.json. */
export function quantize(): Command {
  return new Command('quantize')
    .description('choose the int8 scales of a model (docs/quantization.md)')
    .argument('<model-dir>', 'folder of model.json and weights.safetensors')
    .requiredOption('--calibration <dir>', 'images, or tensors (.f32, .safetensors), like those to be served')
    .option('--evaluate <dir>', 'inputs to measure on, best one folder per class; else a quarter of --calibration')
    .option('--samples <n>', 'number of inputs to use from --calibration', wholeNumber, QUANTIZE_DEFAULTS.samples)
    .option('--fp32 <nodes...>', 'layers to keep in fp32, by their names in the report')
    .option(
      '--min-cosine <x>',
      'keep layers in fp32 until every embedding reaches this cosine to fp32',
      cosine,
      QUANTIZE_DEFAULTS.minCosine,
    )
    .option('--threads <n>', 'compute threads', wholeNumber, QUANTIZE_DEFAULTS.threads)
    .option('--dry-run', 'print the report and write nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve quantize models/photos/1 --calibration pictures/
  resnet-serve quantize models/photos/1 --calibration pictures/ --evaluate validation/ --dry-run --json`,
    )
    .action(async (directory: string, options: Options) => quantizeFolder(directory, options))
}

/** Writes scales into the model.json of a model's folder, and says on `output` what they cost. */
export async function quantizeFolder(
  directory: string,
  options: Options,
  output: NodeJS.WritableStream = process.stdout,
): Promise<void> {
  const path = join(directory, 'model.json')
  if (!existsSync(path)) throw new Error(`${directory} is no model's folder: it has no model.json`)
  const text = readFileSync(path, 'utf8')
  const manifest = inFile(path, () => parseManifest(text))
  const graph = loadGraph({ directory, manifest })
  const { quantizeModel } = await import('../quantization/quantize-model.ts')
  const { calibration, evaluation } = await readSamples(options, manifest)
  const progress = new Progress()
  let result: Quantized
  try {
    result = await quantizeModel({
      graph,
      labels: manifest.labels,
      calibration,
      evaluation,
      fp32: options.fp32 ?? [],
      minCosine: options.minCosine,
      threads: options.threads,
      onProgress: (stage, done, total) => progress.show(stage, done, total),
    })
  } finally {
    progress.end()
  }
  const written = options.dryRun ? undefined : path
  if (written !== undefined) {
    const changed = withQuantization(text, result.quantization)
    inFile(path, () => parseManifest(changed))
    // A rename, so that readers see the old file or the new one.
    writeFileSync(`${path}.new`, changed)
    renameSync(`${path}.new`, path)
  }
  if (options.json) output.write(`${JSON.stringify({ ...quantizeJson(result), written: written ?? null }, null, 2)}\n`)
  else output.write(quantizeReport(result) + (written === undefined ? '' : `written to ${written}\n`))
}

async function readSamples({ calibration, evaluate, samples }: Options, { input }: Manifest) {
  const { SampleSet } = await import('../quantization/sample-set.ts')
  const chosen = SampleSet.open(calibration, input).spread(samples)
  if (evaluate !== undefined) return { calibration: chosen, evaluation: SampleSet.open(evaluate, input) }
  const { kept, heldOut } = chosen.split()
  return { calibration: kept, evaluation: heldOut }
}

/** One bar per stage, on stderr, and only where that is a terminal. */
class Progress {
  #bar: SingleBar | undefined
  #stage: string | undefined

  show(stage: string, done: number, total: number): void {
    if (stage !== this.#stage) {
      this.end()
      this.#stage = stage
      this.#bar = new SingleBar({ format: `${stage.padEnd(16)} {bar} {value}/{total} {eta_formatted}` })
      this.#bar.start(total, 0)
    }
    this.#bar?.update(done)
  }

  end(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#stage = undefined
  }
}

function cosine(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('a number from 0 to 1 is needed.')
  return value
}
