/** Takes README's picture of the playground: `npm run docs:picture`. It needs the built server, and Chromium. */
import { fileURLToPath } from 'node:url'
import { DEPLOYED, withServer } from '../bench/server-process.ts'
import { strokesOf } from '../test/helpers/drawn-digits.ts'
import { drawStrokes, launchBrowser } from '../test/playground/chromium.ts'

const FILE = fileURLToPath(new URL('../docs/images/playground.png', import.meta.url))
/** Two sevens among others: what an embedding is for can be seen. */
const DIGITS = [3, 1, 4, 7]

await withServer(DEPLOYED, { ...process.env, API_KEYS: '' }, async ({ url }) => {
  const browser = await launchBrowser()
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 1800 }, colorScheme: 'light' })
    await page.goto(url)
    await page.locator('#model:not([disabled])').waitFor()
    await page.setInputFiles('#files', fileURLToPath(new URL('../examples/seven.png', import.meta.url)))
    await page.locator('#tray li').waitFor()
    for (const [i, digit] of DIGITS.entries()) {
      if (i > 0) await page.click('#new-drawing')
      await drawStrokes(page, strokesOf(digit))
      await page.locator('#label', { hasText: String(digit) }).waitFor()
    }
    // The pointer and the focus out of the picture, and the last answer in it.
    await page.mouse.move(0, 0)
    await page.locator('#tray li').nth(DIGITS.length).waitFor()
    await page.waitForTimeout(500)
    const { y, height } = (await page.locator('#comparison').boundingBox()) ?? { y: 0, height: 0 }
    await page.screenshot({ path: FILE, clip: { x: 0, y: 0, width: 1200, height: Math.ceil(y + height + 44) } })
  } finally {
    await browser.close()
  }
})
