import type { Model, ScoredClass } from '../api.ts'
import { formatProbability } from '../format.ts'
import { createChart, hidden } from './chart.ts'
import { colour } from './palette.ts'

/** The likeliest classes as bars. Returns what shows others. */
export function classesChart(canvas: HTMLCanvasElement): (top: ScoredClass[], model: Model) => void {
  let texts: string[] = []
  const chart = createChart<'bar', number[], string>(canvas, {
    type: 'bar',
    data: { labels: [], datasets: [{ data: [], minBarLength: 2, borderRadius: 4, maxBarThickness: 18 }] },
    options: {
      indexAxis: 'y',
      scales: {
        x: { ...hidden, min: 0, max: 1 },
        y: {
          grid: { display: false },
          border: { display: false },
          ticks: {
            color: () => colour('text'),
            autoSkip: false,
            font: { size: 13 },
            callback: (i) => tick(i as number),
          },
        },
      },
      datasets: { bar: { backgroundColor: ({ dataIndex }) => colour(dataIndex === 0 ? 'accent' : 'stage-decode') } },
      plugins: { tooltip: { callbacks: { label: ({ dataIndex }) => texts[dataIndex] ?? '' } } },
    },
  })
  const tick = (i: number): string => {
    const label = chart.data.labels?.[i] ?? ''
    return label.length > 24 ? `${label.slice(0, 23)}…` : label
  }
  return (top, { activation }) => {
    texts = top.map(({ probability }) => formatProbability(probability, activation))
    chart.data.labels = top.map(({ label }, i) => `${label}   ${texts[i]}`)
    Object.assign(chart.data.datasets[0] ?? {}, { data: top.map(({ probability }) => probability) })
    // A logit has no bounds.
    const isLogit = activation === 'none'
    Object.assign(chart.options.scales?.x ?? {}, { min: isLogit ? undefined : 0, max: isLogit ? undefined : 1 })
    chart.update()
    canvas.setAttribute(
      'aria-label',
      `Likeliest classes: ${top.map(({ label }, i) => `${label} ${texts[i]}`).join(', ')}`,
    )
  }
}
