import { byId } from '../elements.ts'
import type { Picture } from '../tray.ts'
import { cosines } from '../vectors.ts'
import { gridChart } from './grid.ts'

/** How alike each two pictures are. Returns what shows others. */
export function similarityChart(canvas: HTMLCanvasElement): (pictures: Picture[]) => void {
  let names: string[] = []
  const show = gridChart(canvas, {
    gap: 2,
    hasNumbers: true,
    label: (i) => names[i] ?? '',
    describe: ({ x, y, v }) => `${names[y]} and ${names[x]}: ${v.toFixed(3)}`,
  })
  return (pictures) => {
    names = pictures.map(({ name }) => name)
    const matrix = cosines(pictures.map(({ answer }) => answer.embedding))
    const cells = matrix.flatMap((row, y) => row.map((v, x) => ({ x, y, v })))
    show(cells, names.length, names.length)
    const pairs = cells.filter(({ x, y }) => x < y).sort((a, b) => b.v - a.v)
    const [most, least] = [pairs[0], pairs.at(-1)]
    const say = (pair: typeof most): string =>
      pair === undefined ? '' : `${names[pair.x]} and ${names[pair.y]} (${pair.v.toFixed(2)})`
    const text = pairs.length > 1 ? `Most alike: ${say(most)}. Least alike: ${say(least)}.` : `${say(most)}.`
    byId('similarity-text').textContent = text
    canvas.setAttribute('aria-label', `Cosine similarity of ${names.length} pictures. ${text}`)
  }
}
