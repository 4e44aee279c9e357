import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartConfiguration,
  type ChartType,
  LinearScale,
  PointElement,
  ScatterController,
  Tooltip,
} from 'chart.js'
import { MatrixController, MatrixElement } from 'chartjs-chart-matrix'
import { onSchemeChange } from './palette.ts'

Chart.register(BarController, BarElement, CategoryScale, LinearScale, PointElement, ScatterController, Tooltip)
Chart.register(MatrixController, MatrixElement)

Object.assign(Chart.defaults, { animation: false, maintainAspectRatio: false })
Chart.defaults.font.family = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
Chart.defaults.font.size = 12

/** A chart on the canvas, which follows the colour scheme: its colours are functions that ask the palette. */
export function createChart<Type extends ChartType, Data, Label>(
  canvas: HTMLCanvasElement,
  config: ChartConfiguration<Type, Data, Label>,
): Chart<Type, Data, Label> {
  const chart = new Chart(canvas, config)
  onSchemeChange(() => chart.update())
  return chart
}

/** An axis that is not drawn. */
export const hidden = { display: false } as const
