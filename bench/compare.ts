import { readFileSync } from 'node:fs'
import { type Quantity, quantities } from './quantities.ts'
import { RESULTS_FORMAT, type Results } from './results.ts'
import { figure, textTable } from './table.ts'

/** Smaller changes count as none: memory has a single reading, quick runs have a single window. */
const NOISE = 0.02

export type Verdict = 'better' | 'worse' | 'same'

export interface Change {
  before: Quantity
  after: Quantity
  /** Of the medians, as a share of the first. */
  change: number
  /** `same` where the windows of both runs overlap, or the change is within the noise. */
  verdict: Verdict
}

/** What both runs measured, in the order of the first run. */
export function compare(a: Results, b: Results): Change[] {
  const measured = new Map(quantities(b).map((quantity) => [quantity.name, quantity]))
  return quantities(a).flatMap((before) => {
    const after = measured.get(before.name)
    if (after === undefined) return []
    const change = after.series.median / before.series.median - 1
    const overlap = before.series.max >= after.series.min && after.series.max >= before.series.min
    const verdict = overlap || Math.abs(change) <= NOISE ? 'same' : isBetter(change, before) ? 'better' : 'worse'
    return [{ before, after, change, verdict }]
  })
}

function isBetter(change: number, { better }: Quantity): boolean {
  return change > 0 === (better === 'higher')
}

/** Reads two files that --json wrote; the comparison as text. Throws an Error that names the file. */
export function compareFiles(before: string, after: string): string {
  const [a, b] = [readResults(before), readResults(after)]
  const mark: Record<Verdict, string> = { better: 'better', worse: 'WORSE', same: '' }
  const rows = compare(a, b).map(({ before, after, change, verdict }) => [
    before.name,
    figure(before.series.median),
    figure(after.series.median),
    `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`,
    mark[verdict],
  ])
  return [...differences(a, b), textTable([['', before, after, 'change', ''], ...rows])].join('\n')
}

/** Reasons not to compare the two at all. */
function differences(a: Results, b: Results): string[] {
  const facts = ({ machine, engine, precision, timing, settings, model }: Results): Record<string, unknown> => ({
    processor: `${machine.processor}, ${machine.cores} cores`,
    node: machine.node,
    engine: `${engine.name} ${engine.version ?? ''} in ${precision}`,
    model: `${model.name}/${model.version}`,
    timing,
    settings,
  })
  const [of, and] = [facts(a), facts(b)]
  return Object.keys(of)
    .filter((key) => JSON.stringify(of[key]) !== JSON.stringify(and[key]))
    .map((key) => `note: ${key} differs: ${JSON.stringify(of[key])} and ${JSON.stringify(and[key])}`)
}

function readResults(file: string): Results {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results
  if (results.format !== RESULTS_FORMAT) {
    throw new Error(`${file}: format ${results.format}, this bench compares files of format ${RESULTS_FORMAT}`)
  }
  return results
}
