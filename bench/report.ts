import { INPUT_KINDS } from './inputs.ts'
import type { Memory } from './memory.ts'
import { bestRaw, errorCount, type HttpResult, type Results } from './results.ts'
import type { Series } from './statistics.ts'

/** The results as text for people: tables, medians with the smallest and largest window beside them. */
export function report(results: Results): string {
  return [facts(results), startup(results), memory(results), raw(results), http(results), ratios(results)].join('\n\n')
}

function facts({ date, machine, engine, model, timing, settings }: Results): string {
  const { name, passed_over: _, ...details } = engine
  const rows = [
    ['date', date],
    ['processor', `${machine.processor}, ${machine.cores} cores`],
    ['node', `${machine.node}, ${machine.platform}`],
    ['load before', machine.loadAverage.toFixed(2)],
    ['engine', `${name} (${pairs(details, ' ')})`],
    ['model', `${model.name}/${model.version}, input 1 x ${model.input.height} x ${model.input.width}`],
    ['windows', `${timing.windows} of ${timing.windowS} s, after ${timing.warmupS} s of warm-up`],
  ]
  if (Object.keys(settings).length > 0) rows.push(['settings', pairs(settings, '=')])
  return rows.map(([label = '', value]) => label.padEnd(13) + value).join('\n')
}

function startup({ startupMs }: Results): string {
  return table([
    ['start-up', 'ms', 'min - max'],
    ['spawn until /readyz says 200', ...spread(startupMs)],
  ])
}

function memory({ memory }: Results): string {
  const row = (label: string, rss: Memory | undefined): string[] =>
    rss === undefined ? [label, '-', '-', '-'] : [label, ...[rss.server, rss.engine, rss.server + rss.engine].map(mebi)]
  return table([
    ['RSS, MiB', 'server', 'engine', 'both'],
    row('at ready', memory.ready),
    row('after the load', memory.afterLoad),
  ])
}

function raw({ raw }: Results): string {
  return table([
    ['raw engine, no HTTP', 'images/s', 'min - max'],
    ...raw.map(({ batchSize, imagesPerS }) => [`batch ${batchSize}`, ...spread(imagesPerS)]),
  ])
}

function http({ http }: Results): string {
  const range = 'min - max'
  return table([
    ['HTTP, POST /classify', 'answers/s', range, 'p50 ms', range, 'p99 ms', range, 'mean batch', 'answered', 'errors'],
    ...http.map((result) => [
      title(result),
      ...spread(result.answersPerS),
      ...spread(result.p50Ms),
      ...spread(result.p99Ms),
      number(result.meanBatchSize),
      String(result.answered),
      String(errorCount(result)),
    ]),
  ])
}

function ratios({ raw, http }: Results): string {
  const best = bestRaw(raw)
  const single = raw.find(({ batchSize }) => batchSize === 1)
  const ratio = (result: HttpResult, of: Series): string => (result.answersPerS.median / of.median).toFixed(3)
  return table([
    ['HTTP / raw engine', `best (batch ${best.batchSize})`, 'batch 1'],
    ...http.map((result) => [
      title(result),
      ratio(result, best.imagesPerS),
      // One client has one input in flight, so batch 1 is what it can be compared with.
      result.clients === 1 && single ? ratio(result, single.imagesPerS) : '',
    ]),
  ])
}

function title({ input, clients }: HttpResult): string {
  return `${INPUT_KINDS[input].title}, ${clients} ${clients === 1 ? 'client' : 'clients'}`
}

/** The first column to the left, the others to the right. */
function table(rows: string[][]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

function spread({ median, min, max }: Series): [string, string] {
  return [number(median), `${number(min)} - ${number(max)}`]
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value.toFixed(value >= 1000 ? 0 : value >= 10 ? 1 : 2)
}

function mebi(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}

function pairs(values: Record<string, unknown>, separator: string): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}${separator}${value}`)
    .join(', ')
}
