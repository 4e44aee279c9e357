import { mapChart } from './charts/map.ts'
import { similarityChart } from './charts/similarity.ts'
import { byId, create } from './elements.ts'
import type { Picture } from './tray.ts'

export interface TrayActions {
  show(picture: Picture): void
  remove(picture: Picture): void
}

/** The list of the last pictures and how they compare. Returns what shows others; `shown` is the id of the one in view. */
export function trayView({ show, remove }: TrayActions): (pictures: Picture[], shown: number | undefined) => void {
  const showSimilarity = similarityChart(byId('similarity-chart', HTMLCanvasElement))
  const showMap = mapChart(byId('map-chart', HTMLCanvasElement))
  const list = byId('tray')
  const buttons = (): HTMLButtonElement[] => [...list.querySelectorAll('button')]

  function item(picture: Picture, isShown: boolean): HTMLElement {
    const { name, thumbnail } = picture
    const image = create('img', { src: thumbnail.toDataURL(), alt: '', width: 56, height: 56 })
    const button = create('button', { type: 'button', className: 'picture', onclick: () => show(picture) })
    button.append(image, create('span', {}, name))
    button.ariaPressed = String(isShown)
    button.ariaLabel = `Show picture ${name}`
    const cross = create('button', { type: 'button', className: 'remove', onclick: () => remove(picture) }, '×')
    cross.ariaLabel = `Remove picture ${name}`
    return create('li', {}, button, cross)
  }

  return (pictures, shown) => {
    const focused = buttons().indexOf(document.activeElement as HTMLButtonElement)
    list.replaceChildren(...pictures.map((picture) => item(picture, picture.id === shown)))
    if (focused >= 0) (buttons()[focused] ?? buttons().at(-1))?.focus()
    const enough = pictures.length > 1
    byId('no-comparison').hidden = enough
    byId('comparison').hidden = !enough
    if (!enough) return
    showSimilarity(pictures)
    showMap(pictures)
  }
}
