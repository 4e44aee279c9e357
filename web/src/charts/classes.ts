import type { Chart } from 'chart.js'
import type { Model, ScoredClass } from '../api.ts'
import { formatProbability } from '../format.ts'
import { createChart, hidden } from './chart.ts'
import { colour } from './palette.ts'

/** Room beside the bars for "> 99.99 %", in pixels. */
const TEXT_WIDTH = 84

/** The likeliest classes as bars. Returns what shows others. */
export function classesChart(canvas: HTMLCanvasElement): (top: ScoredClass[], model: Model) => void {
  let texts: string[] = []
  const chart = createChart<'bar', number[], string>(canvas, {
    type: 'bar',
    data: { labels: [], datasets: [{ data: [], minBarLength: 3, borderRadius: 4, maxBarThickness: 20 }] },
    options: {
      indexAxis: 'y',
      layout: { padding: { right: TEXT_WIDTH } },
      scales: {
        x: { ...hidden, min: 0, max: 1 },
        y: {
          grid: { display: false },
          border: { display: false },
          ticks: { color: () => colour('text'), autoSkip: false, font: { size: 14 } },
        },
      },
      datasets: { bar: { backgroundColor: ({ dataIndex }) => colour(dataIndex === 0 ? 'accent' : 'stage-decode') } },
      plugins: { tooltip: { enabled: false } },
    },
    plugins: [{ id: 'texts', afterDatasetsDraw: (each) => writeBesideBars(each, texts) }],
  })
  return (top, { activation }) => {
    texts = top.map(({ probability }) => formatProbability(probability, activation))
    chart.data.labels = top.map(({ label }) => (label.length > 24 ? `${label.slice(0, 23)}…` : label))
    Object.assign(chart.data.datasets[0] ?? {}, { data: top.map(({ probability }) => probability) })
    // A logit has no bounds.
    const bounds = activation === 'none' ? { min: undefined, max: undefined } : { min: 0, max: 1 }
    Object.assign(chart.options.scales?.x ?? {}, bounds)
    chart.update()
    const spoken = top.map(({ label }, i) => `${label} ${texts[i]}`)
    canvas.setAttribute('aria-label', `Likeliest classes: ${spoken.join(', ')}`)
  }
}

function writeBesideBars({ ctx, width, scales }: Chart, texts: string[]): void {
  Object.assign(ctx, { font: '13px system-ui, sans-serif', textAlign: 'right', textBaseline: 'middle' })
  ctx.fillStyle = colour('quiet')
  for (const [i, text] of texts.entries()) ctx.fillText(text, width - 1, scales.y?.getPixelForValue(i) ?? 0)
}
