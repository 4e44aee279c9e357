import type { Picture } from '../tray.ts'
import { principalPlane } from '../vectors.ts'
import { createChart, hidden } from './chart.ts'
import { colour } from './palette.ts'

/** Pixels of a picture on the map. */
const SIDE = 36

/** The pictures where their embeddings lie. Returns what shows others. */
export function mapChart(canvas: HTMLCanvasElement): (pictures: Picture[]) => void {
  let names: string[] = []
  const axis = { ...hidden, grid: { display: false } }
  const chart = createChart<'scatter', { x: number; y: number }[], string>(canvas, {
    type: 'scatter',
    data: { datasets: [{ data: [], clip: false, pointHoverRadius: SIDE / 2, pointRadius: SIDE / 2 }] },
    options: {
      layout: { padding: SIDE / 2 + 4 },
      scales: { x: axis, y: axis },
      plugins: { tooltip: { displayColors: false, callbacks: { label: ({ dataIndex }) => names[dataIndex] ?? '' } } },
    },
    plugins: [
      {
        id: 'frame',
        beforeDatasetsDraw: ({ ctx, width, height }) => {
          ctx.strokeStyle = colour('line')
          ctx.strokeRect(0.5, 0.5, width - 1, height - 1)
        },
      },
    ],
  })
  return (pictures) => {
    names = pictures.map(({ name }) => name)
    const points = principalPlane(pictures.map(({ answer }) => answer.embedding)).map(([x, y]) => ({ x, y }))
    Object.assign(chart.data.datasets[0] ?? {}, {
      data: points,
      pointStyle: pictures.map(({ thumbnail }) => stamp(thumbnail)),
    })
    // The same scale on both axes, so that distances mean the same.
    const ranges = (['x', 'y'] as const).map((id) => rangeOf(points.map((point) => point[id])))
    const reach = Math.max(...ranges.map(({ reach }) => reach)) || 1
    for (const [i, { middle }] of ranges.entries()) {
      Object.assign(chart.options.scales?.['xy'[i] as string] ?? {}, { min: middle - reach, max: middle + reach })
    }
    chart.update()
    const places = points.map(({ x, y }, i) => `${names[i]} at ${x.toFixed(2)}, ${y.toFixed(2)}`)
    canvas.setAttribute('aria-label', `Map of ${names.length} pictures: ${places.join('; ')}`)
  }
}

function rangeOf(values: number[]): { middle: number; reach: number } {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return { middle: (least + most) / 2, reach: (most - least) / 2 }
}

/** The picture in the size that a point is drawn in, with a line around it. */
function stamp(thumbnail: HTMLCanvasElement): HTMLCanvasElement {
  const small = document.createElement('canvas')
  small.width = small.height = SIDE
  const context = small.getContext('2d')
  context?.drawImage(thumbnail, 0, 0, SIDE, SIDE)
  if (context) context.strokeStyle = '#8a94a6'
  context?.strokeRect(0.5, 0.5, SIDE - 1, SIDE - 1)
  return small
}
