import { existsSync } from 'node:fs'
import { CommandError } from '../command-error.ts'
import { openPredictor } from '../predictor/open.ts'
import { listPictures } from '../predictor/pictures.ts'
import { type Predictor, type PredictorOptions, predictAll } from '../predictor/predictor.ts'
import type { Format } from './format.ts'
import { Journal, journalHeader } from './journal.ts'
import { writeOutput } from './output.ts'
import { startProgress } from './progress.ts'
import { printReport } from './report.ts'
import { type Shard, takeShard } from './shard.ts'

/** The options of the command, as commander gives them. */
export interface EmbedOptions extends Omit<PredictorOptions, 'topK'> {
  out: { path: string; format: Format }
  shard?: Shard
  restart: boolean
  retryFailed: boolean
  json: boolean
}

/**
 * Embeds what the journal has no answer for, and writes the output from the journal. Prints a report; returns whether every
 * picture has an embedding. When `signal` is aborted, the journal keeps what there is.
 */
export async function embedPictures(names: string[], options: EmbedOptions, signal: AbortSignal): Promise<boolean> {
  const { out, shard, restart } = options
  const all = await listPictures(names)
  const paths = shard ? takeShard(all, shard) : all
  const journalPath = `${out.path}.journal`
  if (!restart && existsSync(out.path) && !existsSync(journalPath)) {
    throw new CommandError(`${out.path} exists, and no journal of it`, { hint: '--restart replaces it' })
  }
  const predictor = await openPredictor({ ...options, topK: 1 })
  try {
    const { model } = predictor
    const header = journalHeader(model, options.normalize, shard ? `${shard.index}/${shard.count}` : null)
    const journal = await Journal.open(journalPath, header, restart)
    try {
      const before = await journal.index(paths)
      const todo = paths.filter((_, i) => before.lengths[i] === 0 || (options.retryFailed && before.failed[i] === 1))
      const seconds = await embed(predictor, journal, todo, paths.length, signal)
      const index = todo.length === 0 ? before : await journal.index(paths)
      const answered = index.lengths.reduce((sum, length) => sum + Math.min(length, 1), 0)
      if (signal.aborted && answered < paths.length) {
        process.stderr.write(`stopped with ${answered} of ${paths.length} done; the same command goes on from there\n`)
        return false
      }
      const table = journal.table(index)
      const files = await writeOutput(out.path, out.format, table)
      const counts = { pictures: paths.length, embedded: table.count, computed: todo.length, seconds }
      await printReport({ model, files, journal: journalPath, ...counts }, journal.failures(index), options.json)
      return table.count === paths.length
    } finally {
      await journal.close()
    }
  } finally {
    await predictor.close()
  }
}

/** Returns the seconds it took, without the model's start. */
async function embed(predictor: Predictor, journal: Journal, todo: string[], total: number, signal: AbortSignal) {
  if (todo.length === 0) return 0
  await predictor.start()
  const startedAt = performance.now()
  const progress = startProgress(total - todo.length, total)
  try {
    await predictAll(
      predictor,
      todo,
      async (answer) => {
        await journal.append(answer)
        progress.add()
      },
      signal,
    )
  } finally {
    progress.stop()
  }
  return (performance.now() - startedAt) / 1000
}
