import { printable } from '../../checkpoints/pickle-value.ts'
import { CommandError } from '../command-error.ts'
import { openPredictor } from '../predictor/open.ts'
import { listPictures } from '../predictor/pictures.ts'
import { type Answer, type PredictorOptions, predictAll } from '../predictor/predictor.ts'

/** The options of the command, as commander gives them. */
export interface ClassifyOptions extends Omit<PredictorOptions, 'normalize'> {
  json: boolean
}

/** Prints each picture's classes, in the pictures' order. Returns whether every picture has some. */
export async function classifyPictures(
  names: string[],
  options: ClassifyOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const paths = await listPictures(names)
  const predictor = await openPredictor({ ...options, normalize: false })
  try {
    const { name, classes } = predictor.model
    if (classes === 0) throw new CommandError(`model ${name} has no classifier`, { hint: 'embed gives its embeddings' })
    await predictor.start()
    const print = options.json ? printJson : printText
    /** Answers that came before an earlier picture's. */
    const early = new Map<number, Answer>()
    let next = 0
    let failed = 0
    const onAnswer = (answer: Answer, index: number): void => {
      early.set(index, answer)
      for (let ready = early.get(next); ready; ready = early.get(next)) {
        early.delete(next++)
        if ('error' in ready) failed++
        print(ready)
      }
    }
    await predictAll(predictor, paths, onAnswer, signal)
    return failed === 0
  } finally {
    await predictor.close()
  }
}

function printText(answer: Answer): void {
  const path = printable(answer.path, answer.path.length)
  if ('error' in answer) process.stderr.write(`${path}: ${answer.error.detail} (${answer.error.code})\n`)
  else {
    const classes = answer.top.map(({ label, probability }) => `${label} ${probability.toFixed(4)}`)
    process.stdout.write(`${path}\t${classes.join('\t')}\n`)
  }
}

function printJson(answer: Answer): void {
  const { path } = answer
  const [best] = 'top' in answer ? answer.top : []
  const line =
    'error' in answer ? answer : { path, label: best?.label, probability: best?.probability, top: answer.top }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
