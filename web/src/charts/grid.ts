import type { Chart, Scale, ScriptableContext } from 'chart.js'
import { createChart } from './chart.ts'
import { colour, mix } from './palette.ts'

export interface Cell {
  x: number
  y: number
  /** -1 to 1: cool to warm. */
  v: number
}

interface GridOptions {
  gap: number
  /** What the tooltip says of a cell. */
  describe: (cell: Cell) => string
  /** Labels of columns and rows; without them there are no axes. */
  label?: (i: number) => string
  /** Whether cells say their values, where there is room. */
  hasNumbers?: boolean
}

/** A grid of coloured cells that fills its canvas. Returns what shows others, `columns` x `rows` of them. */
export function gridChart(
  canvas: HTMLCanvasElement,
  { gap, describe, label, hasNumbers = false }: GridOptions,
): (cells: Cell[], columns: number, rows: number) => void {
  let [columns, rows] = [1, 1]
  const axis = {
    type: 'linear' as const,
    display: label !== undefined,
    offset: false,
    grid: { display: false },
    afterBuildTicks: (scale: Scale) => {
      scale.ticks = Array.from({ length: Math.floor(scale.max) + 1 }, (_, value) => ({ value }))
    },
    border: { display: false },
    ticks: {
      color: () => colour('quiet'),
      autoSkip: false,
      maxRotation: 0,
      callback: (i: string | number) => label?.(Number(i)) ?? '',
    },
  }
  const chart = createChart<'matrix', Cell[], string>(canvas, {
    type: 'matrix',
    data: {
      datasets: [
        {
          label: '',
          data: [],
          borderRadius: 2,
          backgroundColor: ({ raw }: ScriptableContext<'matrix'>) => shade((raw as Cell | undefined)?.v ?? 0),
          width: ({ chart: { chartArea } }) => Math.max(1, (chartArea?.width ?? 0) / columns - gap),
          height: ({ chart: { chartArea } }) => Math.max(1, (chartArea?.height ?? 0) / rows - gap),
        },
      ],
    },
    options: {
      scales: { x: { ...axis, position: 'top' }, y: { ...axis, reverse: true } },
      plugins: {
        tooltip: { displayColors: false, callbacks: { title: () => '', label: ({ raw }) => describe(raw as Cell) } },
      },
    },
    plugins: hasNumbers ? [{ id: 'numbers', afterDatasetsDraw: writeNumbers }] : [],
  })
  return (cells, ...size) => {
    ;[columns, rows] = size
    Object.assign(chart.data.datasets[0] ?? {}, { data: cells })
    // Cells lie around whole numbers.
    Object.assign(chart.options.scales?.x ?? {}, { min: -0.5, max: columns - 0.5 })
    Object.assign(chart.options.scales?.y ?? {}, { min: -0.5, max: rows - 0.5 })
    chart.update()
  }
}

/** Pixels that "0.12" needs. */
const NUMBER_WIDTH = 34
/** Cells of a larger value are too strong for text in the usual colour. */
const STRONG = 0.55

function writeNumbers({ ctx, chartArea, data, scales }: Chart): void {
  const cells = (data.datasets[0]?.data ?? []) as unknown as Cell[]
  if (chartArea.width / Math.sqrt(cells.length) < NUMBER_WIDTH) return
  Object.assign(ctx, { font: '12px system-ui, sans-serif', textAlign: 'center', textBaseline: 'middle' })
  for (const { x, y, v } of cells) {
    ctx.fillStyle = colour(Math.abs(v) > STRONG ? 'on-accent' : 'text')
    ctx.fillText(v.toFixed(2), scales.x?.getPixelForValue(x) ?? 0, scales.y?.getPixelForValue(y) ?? 0)
  }
}

/** Orange below zero, blue above; the further, the stronger. */
function shade(value: number): string {
  return mix('sunken', value < 0 ? 'warm' : 'accent', Math.min(1, Math.abs(value)))
}
