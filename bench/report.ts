import { channelCount } from '../src/repository/input-spec.ts'
import { INPUT_KINDS } from './inputs.ts'
import { type Memory, total } from './memory.ts'
import { bestRaw, errorCount, type HttpResult, type LoadScenario, type Results } from './results.ts'
import type { Series } from './statistics.ts'
import { figure, mebi, spread, textTable } from './table.ts'

/** The results as text: tables of medians with the smallest and largest window. */
export function report(results: Results): string {
  const { closed, open, null: ceiling } = results
  const parts = [facts(results), startup(results), memory(results), raw(results), gain(results)]
  parts.push(http('HTTP, closed loop', closed), ratios(results))
  parts.push(http('HTTP, open loop', open), http('HTTP, null engine', ceiling), decoding(results))
  return parts.filter((part) => part !== '').join('\n\n')
}

function facts({ date, machine, engine, model, precision, timing, settings }: Results): string {
  const { name, passed_over: _, ...details } = engine
  const shape = [channelCount(model.input), model.input.height, model.input.width]
  const rows = [
    ['date', date],
    ['processor', `${machine.processor}, ${machine.cores} cores`],
    ['node', `${machine.node}, ${machine.platform}`],
    ['load before', machine.loadAverage.toFixed(2)],
    ['engine', `${name} in ${precision} (${pairs(details, ' ')})`],
    ['model', `${model.name}/${model.version}, input ${shape.join(' x ')}`],
    [
      'windows',
      `${timing.windows} of ${timing.windowS} s, after ${timing.warmupS} s of warm-up; loads: until settled, ${timing.settleS} s at most`,
    ],
  ]
  if (Object.keys(settings).length > 0) rows.push(['settings', pairs(settings, '=')])
  return rows.map(([label = '', value]) => label.padEnd(13) + value).join('\n')
}

function startup({ startupMs }: Results): string {
  return textTable([
    ['start-up', 'ms', 'min - max'],
    ['spawn until /readyz says 200', ...spread(startupMs)],
  ])
}

function memory({ memory, closed }: Results): string {
  const row = (label: string, rss: Memory | undefined): string[] =>
    rss === undefined
      ? [label, '-', '-', '-', '-']
      : [label, ...[rss.server, rss.engine, total(rss), rss.proportional].map(mebi)]
  const after = closed.map((result) => row(`after ${title(result)}`, result.memory))
  return textTable([['RSS, MiB', 'server', 'engine', 'both', 'shared pages once'], row('at ready', memory), ...after])
}

function raw({ raw, notMeasured }: Results): string {
  if (raw.length === 0) return ''
  return textTable([
    ['raw engine, no HTTP', 'images/s', 'min - max'],
    ...raw.map(({ precision, batchSize, imagesPerS }) => [`${precision}, batch ${batchSize}`, ...spread(imagesPerS)]),
    ...notMeasured.map(({ precision, reason }) => [`${precision}: ${reason}`]),
  ])
}

/** The gain of each other precision over fp32. */
function gain({ raw }: Results): string {
  const rows = raw
    .filter(({ precision }) => precision !== 'fp32')
    .flatMap(({ precision, batchSize, imagesPerS }) => {
      const fp32 = raw.find((other) => other.precision === 'fp32' && other.batchSize === batchSize)
      return fp32 === undefined ? [] : [[`${precision}, batch ${batchSize}`, ratio(imagesPerS, fp32.imagesPerS)]]
    })
  return rows.length === 0 ? '' : textTable([['raw engine', 'to fp32'], ...rows])
}

function http(head: string, results: HttpResult[]): string {
  if (results.length === 0) return ''
  const range = 'min - max'
  const columns = ['answers/s', range, 'p50 ms', range, 'p99 ms', range, 'HTTP CPU ms', 'engine CPU ms']
  columns.push('mean batch', 'answered', 'errors', 'load us', 'warm-up s')
  return textTable([
    [head, ...columns],
    ...results.map((result) => [
      title(result),
      ...spread(result.answersPerS),
      ...spread(result.p50Ms),
      ...spread(result.p99Ms),
      figure(result.cpuMs.http.median),
      figure(result.cpuMs.engine.median),
      figure(result.meanBatchSize),
      String(result.answered),
      String(errorCount(result)),
      figure(result.generatorUs),
      result.settledS.toFixed(1),
    ]),
  ])
}

/** The closed loop compared with the raw engine in the same precision. */
function ratios(results: Results): string {
  const best = bestRaw(results)
  if (best === undefined || results.closed.length === 0) return ''
  const single = results.raw.find((other) => other.precision === best.precision && other.batchSize === 1)
  return textTable([
    ['HTTP / raw engine', `best (batch ${best.batchSize})`, 'batch 1', 'p50 - raw batch 1, ms'],
    ...results.closed.map((result) => [
      title(result),
      ratio(result.answersPerS, best.imagesPerS),
      // One client has one input in flight, so it is compared with batch 1.
      ...(result.clients === 1 && single
        ? [ratio(result.answersPerS, single.imagesPerS), figure(result.p50Ms.median - 1000 / single.imagesPerS.median)]
        : []),
    ]),
  ])
}

function decoding({ decode, null: ceiling }: Results): string {
  if (decode.length === 0) return ''
  return textTable([
    ['sharp alone', 'pictures/s', 'min - max', 'null engine / sharp'],
    ...decode.map(({ input, picturesPerS }) => {
      const served = ceiling.find((result) => result.input === input)
      return [INPUT_KINDS[input].title, ...spread(picturesPerS), served ? ratio(served.answersPerS, picturesPerS) : '']
    }),
  ])
}

export function title({ input, answer, clients, ratePerS }: LoadScenario): string {
  const load = ratePerS === undefined ? `${clients} ${clients === 1 ? 'client' : 'clients'}` : `${ratePerS}/s`
  return `${INPUT_KINDS[input].title}${answer === 'binary' ? ', binary answer' : ''}, ${load}`
}

function ratio(a: Series, b: Series): string {
  return (a.median / b.median).toFixed(3)
}

function pairs(values: Record<string, unknown>, separator: string): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}${separator}${value}`)
    .join(', ')
}
