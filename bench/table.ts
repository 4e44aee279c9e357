import type { Series } from './statistics.ts'

/** For a terminal: the first column aligned left, the others right. */
export function textTable(rows: string[][]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

/** The same in Markdown; the first row is the head. */
export function markdownTable([head = [], ...rows]: string[][]): string {
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** Median, and the smallest and largest window. */
export function spread({ median, min, max }: Series): [string, string] {
  return [figure(median), `${figure(min)} - ${figure(max)}`]
}

/** To three places, as far as they say anything of a ratio; a dash where there is none. */
export function ratioRange(low: number, high: number): string {
  return Number.isNaN(low) ? '-' : `${low.toFixed(3)} - ${high.toFixed(3)}`
}

/** Three or four digits of a quantity; a dash where there is none. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  return value.toFixed(value >= 1000 ? 0 : value >= 10 ? 1 : 2)
}

export function mebi(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
