import { cpuTotal } from '../cpu.ts'
import { pairedRatio, series } from '../statistics.ts'
import { figure, ratioRange, textTable } from '../table.ts'
import type { Turn, Turns } from '../turns.ts'

/** Two starts of one build differ by 1 % for as long as they run. What is within twice that is no difference. */
const MARGIN = 0.02

const FIGURES: Record<string, (turn: Turn) => number> = {
  'answers/s': ({ window }) => window.answersPerS,
  'p50 ms': ({ window }) => window.p50Ms,
  'p99 ms': ({ window }) => window.p99Ms,
  'CPU ms per answer': ({ cpuMs }) => cpuTotal(cpuMs),
  '  of it HTTP': ({ cpuMs }) => cpuMs.http,
  '  of it the engine': ({ cpuMs }) => cpuMs.engine,
}

/** A table for each of the others, beside the first. */
export function versusReport(head: string, [base, ...others]: (Turns & { name: string })[]): string {
  if (base === undefined) return ''
  const tables = others.map((other) => {
    const rows = Object.entries(FIGURES).map(([label, of]) => {
      const [before, after] = [base.turns.map(of), other.turns.map(of)]
      const { median, lower, upper, low, high } = pairedRatio(after, before)
      return [
        label,
        figure(series(before).median),
        figure(series(after).median),
        median.toFixed(3),
        ratioRange(lower, upper),
        ratioRange(low, high),
        low > 1 + MARGIN || high < 1 - MARGIN ? 'differs' : '',
      ]
    })
    const columns = ['base', 'other', 'ratio', 'quartiles', '95 % interval', '']
    const warm = `warm-up ${base.settledS.toFixed(1)} and ${other.settledS.toFixed(1)} s`
    return `${head}, ${warm}\nbase: ${base.name}\nother: ${other.name}\n${textTable([['', ...columns], ...rows])}`
  })
  return tables.join('\n\n')
}
