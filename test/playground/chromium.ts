import { type Browser, chromium, type Page } from 'playwright-core'

/** It must not need the network, and gets none of its own. */
const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-gpu',
  '--no-first-run',
  '--disable-component-update',
  '--disable-sync',
]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
}

type Point = readonly [x: number, y: number]

/** Draws with the mouse, strokes in a unit square. The last one may end with the pen held still. */
export async function drawStrokes(
  page: Page,
  strokes: readonly (readonly Point[])[],
  end: 'lift' | 'hold' = 'lift',
): Promise<void> {
  const { x, y, width, height } = (await page.locator('#pad').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
  const moveTo = ([dx, dy]: Point): Promise<void> => page.mouse.move(x + dx * width, y + dy * height, { steps: 3 })
  for (const [i, [start, ...rest]] of strokes.entries()) {
    await moveTo(start as Point)
    await page.mouse.down()
    for (const point of rest) await moveTo(point)
    if (end === 'lift' || i < strokes.length - 1) await page.mouse.up()
  }
}
