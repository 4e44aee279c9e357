import { scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'
import type { Row } from './report.ts'

const PANEL = { width: 400, height: 280, left: 56, top: 56, right: 24, bottom: 48 }
/** Okabe and Ito: told apart by colour-blind eyes too. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9']

interface Curve {
  colour: string
  dashed?: boolean
  points: [x: number, y: number][]
}

/** Latency and goodput against offered load, a colour for each number of replicas, as an SVG file. */
export function chart(rows: Row[]): string {
  const counts = [...new Set(rows.map(({ replicas }) => replicas))]
  const curves = (of: (row: Row) => number, dashed = false): Curve[] =>
    counts.map((count, i) => ({
      colour: COLOURS[i % COLOURS.length] as string,
      dashed,
      points: rows.filter(({ replicas }) => replicas === count).map((row) => [row.ratePerS, of(row)]),
    }))
  const latency = [...curves(({ outcome }) => outcome.p99Ms), ...curves(({ outcome }) => outcome.p50Ms, true)]
  const goodput = curves(({ outcome }) => outcome.goodputPerS)
  const width = 2 * (PANEL.left + PANEL.width + PANEL.right)
  const height = PANEL.top + PANEL.height + PANEL.bottom
  const legend = counts.map((count, i) => {
    const [x, y] = [PANEL.left + 90 * i, 16]
    const name = `${count} replica${count === 1 ? '' : 's'}`
    return `<path d="M${x},${y}h18" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="3"/>${text(x + 24, y + 4, name, 'start')}`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>Latency and answers in time against the requests offered</title>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...legend,
    panel(0, 'latency, ms: p99 solid, p50 dashed', latency, true),
    panel(width / 2, 'answers in time, 1/s', goodput, false),
    '</svg>\n',
  ].join('\n')
}

function panel(offset: number, title: string, curves: Curve[], isLog: boolean): string {
  const points = curves.flatMap((curve) => curve.points).filter(([, y]) => Number.isFinite(y))
  const most = (axis: 0 | 1): number => Math.max(...points.map((point) => point[axis]))
  const [left, right] = [offset + PANEL.left, offset + PANEL.left + PANEL.width]
  const [top, bottom] = [PANEL.top, PANEL.top + PANEL.height]
  const x = scaleLinear([0, most(0)], [left, right]).nice()
  const least = Math.min(...points.map(([, value]) => value))
  const y = isLog ? scaleLog([0.9 * least, most(1)], [bottom, top]) : scaleLinear([0, most(1)], [bottom, top]).nice()
  // A logarithmic scale names more ticks than there is room for: these are the decades, halves and fifths.
  const yTicks = isLog ? y.ticks().filter((tick) => /^[125]0*$/.test(String(tick))) : y.ticks(6)
  const path = line()
    .x(([value]) => round(x(value)))
    .y(([, value]) => round(y(value)))
    .defined(([, value]) => Number.isFinite(value))
  return [
    text(left, top - 10, title, 'start'),
    ...yTicks.map((tick) => `<path d="M${left},${round(y(tick))}H${right}" stroke="#ddd"/>`),
    ...yTicks.map((tick) => text(left - 6, round(y(tick)) + 4, String(tick), 'end')),
    ...x.ticks(6).map((tick) => text(round(x(tick)), bottom + 18, String(tick), 'middle')),
    text((left + right) / 2, bottom + 38, 'requests offered, 1/s', 'middle'),
    `<path d="M${left},${top}V${bottom}H${right}" stroke="#333" fill="none"/>`,
    ...curves.map(({ colour, dashed, points }) => {
      const dash = dashed ? ' stroke-dasharray="5 4"' : ''
      return `<path d="${path(points)}" stroke="${colour}" stroke-width="2" fill="none"${dash}/>`
    }),
  ].join('\n')
}

function text(x: number, y: number, value: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${value}</text>`
}

/** To a tenth of a pixel, which keeps the file small. */
function round(value: number): number {
  return Math.round(10 * value) / 10
}
