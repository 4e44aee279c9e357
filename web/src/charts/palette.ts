/** The colours of style.css that charts paint with, for the scheme that the browser asks for now. */
export type Colour = 'text' | 'quiet' | 'line' | 'accent' | 'on-accent' | 'warm' | 'sunken' | `stage-${string}`

const dark = matchMedia('(prefers-color-scheme: dark)')
let known = new Map<Colour, string>()

export function colour(name: Colour): string {
  let value = known.get(name)
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
    known.set(name, value)
  }
  return value
}

export function onSchemeChange(repaint: () => void): void {
  dark.addEventListener('change', () => {
    known = new Map()
    repaint()
  })
}

/** Between two colours of the palette; `share` of the second, 0 to 1. */
export function mix(from: Colour, to: Colour, share: number): string {
  const [a, b] = [channels(colour(from)), channels(colour(to))]
  return `rgb(${a.map((value, i) => Math.round(value + ((b[i] as number) - value) * share)).join(' ')})`
}

/** Of #rrggbb, as style.css writes all colours that are mixed. */
function channels(hex: string): number[] {
  return [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16))
}
