import type { Page } from 'playwright-core'
import { strokesOf } from '../test/helpers/drawn-digits.ts'
import { drawStrokes, launchBrowser } from '../test/playground/chromium.ts'
import { DEPLOYED, withServer } from './server-process.ts'
import { series } from './statistics.ts'

/**
 * `npm run bench:playground`: from the pen's rest to the answer on the screen, in Chromium on the same machine as the server. Each
 * digit is drawn four times; half of the time the pen is lifted at the end, and half of the time it is held still.
 */
const ROUNDS = 2
/** Until no other answer can follow. */
const SETTLE_MS = 500

/** In the page: when the pen last did something, and when the last answer was painted. */
const WATCH = `{
  window.times = { pen: 0, painted: 0 }
  for (const event of ['pointerdown', 'pointermove', 'pointerup']) {
    document.getElementById('pad').addEventListener(event, () => { times.pen = performance.now() })
  }
  const painted = () => requestAnimationFrame(() => setTimeout(() => { times.painted = performance.now() }))
  new MutationObserver(painted).observe(document.getElementById('stages'), { childList: true })
}`

await withServer(DEPLOYED, { ...process.env, API_KEYS: '' }, async ({ url }) => {
  const browser = await launchBrowser()
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    await page.goto(url)
    await page.locator('#model:not([disabled])').waitFor()
    await page.evaluate(WATCH)
    const lifted: number[] = []
    const still: number[] = []
    for (let i = 0; i < ROUNDS * 10; i++) {
      lifted.push(await latency(page, i % 10, 'lift'))
      still.push(await latency(page, i % 10, 'hold'))
    }
    report('pen lifted', lifted)
    report('pen held still', still)
  } finally {
    await browser.close()
  }
})

async function latency(page: Page, digit: number, end: 'lift' | 'hold'): Promise<number> {
  await drawStrokes(page, strokesOf(digit), end)
  // Not waitForFunction, whose eval the page's policy refuses.
  while (!(await page.evaluate('times.painted > times.pen'))) await page.waitForTimeout(100)
  // The first answer may still be about an earlier state of the drawing.
  await page.waitForTimeout(SETTLE_MS)
  const ms = (await page.evaluate('times.painted - times.pen')) as number
  if (end === 'hold') await page.mouse.up()
  await page.waitForTimeout(SETTLE_MS / 4)
  await page.click('#new-drawing')
  return ms
}

function report(name: string, values: number[]): void {
  const { median, min, max } = series(values)
  const p95 = values.toSorted((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1] ?? Number.NaN
  const ms = [min, median, p95, max].map((value) => value.toFixed(0)).join(' / ')
  console.log(`${name}: ${ms} ms (least / median / p95 / most of ${values.length})`)
}
