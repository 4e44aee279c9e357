import { create } from '../elements.ts'
import { formatMs } from '../format.ts'
import type { Timing } from '../server-timing.ts'
import { createChart, hidden } from './chart.ts'
import { colour } from './palette.ts'

const NAMES: Record<string, string> = {
  decode: 'decode the picture',
  queue: 'wait in the queue',
  compute: 'compute',
  other: 'rest of the server',
  network: 'network and browser',
}

/** The stages of a request as one bar, with a legend that says the numbers. Returns what shows others. */
export function stagesChart(canvas: HTMLCanvasElement, legend: HTMLElement): (timing: Timing) => void {
  const chart = createChart<'bar', number[], string>(canvas, {
    type: 'bar',
    data: {
      labels: ['time'],
      datasets: Object.keys(NAMES).map((name) => {
        return { label: name, data: [0], barThickness: 14, backgroundColor: () => colour(`stage-${name}`) }
      }),
    },
    options: {
      indexAxis: 'y',
      scales: { x: { ...hidden, stacked: true }, y: { ...hidden, stacked: true } },
      plugins: { tooltip: { enabled: false } },
    },
  })
  return ({ stages, totalMs }) => {
    for (const [i, { ms }] of stages.entries()) Object.assign(chart.data.datasets[i] ?? {}, { data: [ms] })
    Object.assign(chart.options.scales?.x ?? {}, { max: stages.reduce((sum, { ms }) => sum + ms, 0) })
    chart.update()
    const texts = stages.map(({ name, ms }) => `${NAMES[name]} ${formatMs(ms)}`)
    legend.replaceChildren(...stages.map(({ name }, i) => create('li', { className: name }, texts[i] ?? '')))
    canvas.setAttribute('aria-label', `${formatMs(totalMs)} in all: ${texts.join(', ')}`)
  }
}
