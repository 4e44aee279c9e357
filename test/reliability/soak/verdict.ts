/** One figure that a scenario is held to. */
export interface Figure {
  what: string
  value: number
  unit: string
  atMost?: number
  atLeast?: number
}

export function isMet({
  value,
  atMost = Number.POSITIVE_INFINITY,
  atLeast = Number.NEGATIVE_INFINITY,
}: Figure): boolean {
  return value <= atMost && value >= atLeast
}

/** A line for each figure: what was measured, what it should be, and whether it is. */
export function report(figures: Figure[]): string {
  const width = Math.max(...figures.map(({ what }) => what.length))
  return figures
    .map((figure) => {
      const { what, value, unit, atMost, atLeast } = figure
      const bound = atMost !== undefined ? `<= ${atMost}` : atLeast !== undefined ? `>= ${atLeast}` : ''
      const shown = `${Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)} ${unit}`
      return `  ${isMet(figure) ? 'met' : 'NOT'}  ${what.padEnd(width)}  ${shown.padStart(12)}  ${bound}`
    })
    .join('\n')
}
