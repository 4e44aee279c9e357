import { byId } from '../elements.ts'
import { gridChart } from './grid.ts'

/** An embedding as a heat map, in reading order. Returns what shows another. */
export function embeddingChart(canvas: HTMLCanvasElement): (embedding: Float32Array) => void {
  let shown: Float32Array = new Float32Array()
  let columns = 1
  const place = ({ x, y }: { x: number; y: number }): number => y * columns + x
  const show = gridChart(canvas, {
    gap: 1,
    describe: (cell) => `dimension ${place(cell)}: ${shown[place(cell)]?.toFixed(3)}`,
  })
  return (embedding) => {
    shown = embedding
    columns = Math.min(embedding.length, embedding.length > 512 ? 64 : 32)
    const largest = embedding.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1
    const cells = Array.from(embedding, (value, i) => {
      return { x: i % columns, y: Math.floor(i / columns), v: value / largest }
    })
    show(cells, columns, Math.ceil(embedding.length / columns))
    byId('embedding-size').textContent = `${embedding.length} numbers`
    byId('embedding-low').textContent = (-largest).toFixed(1)
    byId('embedding-high').textContent = largest.toFixed(1)
    canvas.setAttribute('aria-label', `Heat map of ${embedding.length} numbers between ±${largest.toFixed(1)}`)
  }
}
