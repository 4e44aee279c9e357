import { printable } from '../../checkpoints/pickle-value.ts'
import type { Failed, ModelIdentity } from '../predictor/predictor.ts'

export interface EmbedReport {
  model: ModelIdentity
  /** What was written. */
  files: string[]
  journal: string
  pictures: number
  /** Rows of the output. */
  embedded: number
  /** Pictures that this run asked for; the others are from runs before. */
  computed: number
  /** What those took, without the model's start. */
  seconds: number
}

/** Most failures that are listed for a person; JSON and the journal have all. */
const MOST_LISTED = 100

/** A line on stdout, and the failures on stderr; or all of it as JSON on stdout. */
export async function printReport(report: EmbedReport, failures: AsyncIterable<Failed>, json: boolean): Promise<void> {
  const { model, files, pictures, embedded, computed, seconds } = report
  const failed = pictures - embedded
  const rate = computed > 0 ? Math.round(computed / seconds) : 0
  if (json) {
    const all: Failed[] = []
    for await (const failure of failures) all.push(failure)
    const { name, version, embeddingSpace: embedding_space, dimensions } = model
    const counts = { pictures, embedded, failed, computed, seconds: Number(seconds.toFixed(3)), per_second: rate }
    const about = { model: { name, version }, embedding_space, dimensions, files, journal: report.journal }
    process.stdout.write(`${JSON.stringify({ ...about, ...counts, failures: all }, null, 2)}\n`)
    return
  }
  const time = computed > 0 ? `, ${computed} now in ${seconds.toFixed(1)} s (${rate}/s)` : ', nothing was left to do'
  process.stdout.write(`${embedded} of ${pictures} pictures in ${files.join(' and ')}${time}\n`)
  let listed = 0
  for await (const { path, error } of failures) {
    if (listed++ === MOST_LISTED) break
    process.stderr.write(`${printable(path, path.length)}: ${error.detail} (${error.code})\n`)
  }
  if (failed > MOST_LISTED) process.stderr.write(`and ${failed - MOST_LISTED} more: see ${report.journal}\n`)
  if (failed > 0) process.stderr.write(`${failed} failed; --retry-failed tries them again\n`)
}
