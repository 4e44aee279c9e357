import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { strokesOf } from '../helpers/drawn-digits.ts'
import { startReady } from '../helpers/server-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { openPage } from './browser.ts'
import { drawStrokes, launchBrowser } from './chromium.ts'

const ROOT = resolve(import.meta.dirname, '../..')

let browser: Browser
let url: string
const cleanUps: (() => void)[] = []

beforeAll(async () => {
  browser = await launchBrowser()
  const env = { MODEL_REPOSITORY: join(ROOT, 'models') }
  const server = await startReady({ env, onEnd: (cleanUp) => cleanUps.push(cleanUp) })
  url = `${server.url}/`
})
afterAll(async () => {
  await browser.close()
  for (const cleanUp of cleanUps) cleanUp()
})

/** Waits until the page shows this answer. */
const reads = (page: Page, label: string): Promise<void> =>
  page.locator('#label', { hasText: new RegExp(`^${label}$`) }).waitFor()

describe('the playground with the model that ships with the server', () => {
  it('reads every digit that is drawn, and says so to those who do not see it', async () => {
    const page = await openPage(browser, url)
    for (let digit = 0; digit < 10; digit++) {
      await drawStrokes(page, strokesOf(digit))
      await reads(page, String(digit))
      await page.locator('#announcer', { hasText: new RegExp(`^${digit}, `) }).waitFor({ state: 'attached' })
      await page.click('#new-drawing')
    }
    expect(await page.locator('#tray .picture').allTextContents()).toEqual(
      Array.from({ length: 10 }, (_, digit) => `#${digit + 1}: ${digit}`),
    )
  })

  it('reads a digit that a finger draws', async () => {
    const page = await openPage(browser, url, { hasTouch: true, viewport: { width: 360, height: 740 } })
    const { x, y, width } = (await page.locator('#pad').boundingBox()) ?? { x: 0, y: 0, width: 0 }
    const session = await page.context().newCDPSession(page)
    for (const stroke of strokesOf(7)) {
      for (const [i, [dx, dy]] of stroke.entries()) {
        const touchPoints = [{ x: x + dx * width, y: y + dy * width }]
        await session.send('Input.dispatchTouchEvent', { type: i === 0 ? 'touchStart' : 'touchMove', touchPoints })
      }
      await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
    }
    await reads(page, '7')
    expect(await page.evaluate('scrollY')).toBe(0)
  })

  it('reads a digit that is drawn with the keyboard alone', async () => {
    const page = await openPage(browser, url)
    await page.locator('#model:not([disabled])').waitFor()
    const isFocused = (): Promise<boolean> => page.evaluate("document.activeElement.id === 'pad'")
    for (let i = 0; i < 10 && !(await isFocused()); i++) await page.keyboard.press('Tab')
    expect(await isFocused()).toBe(true)
    const press = async (key: string, times: number): Promise<void> => {
      for (let i = 0; i < times; i++) await page.keyboard.press(key)
    }
    // A seven: along the top, and down to the left.
    await press('ArrowUp', 6)
    await press('ArrowLeft', 5)
    await page.keyboard.press('Space')
    await press('ArrowRight', 9)
    for (let i = 0; i < 6; i++) {
      await press('ArrowDown', 2)
      await press('ArrowLeft', 1)
    }
    await page.keyboard.press('Space')
    await reads(page, '7')
    await page.keyboard.press('Delete')
    await page.locator('#answer').waitFor({ state: 'hidden' })
  })

  it('takes a stroke back', async () => {
    const page = await openPage(browser, url)
    await drawStrokes(page, strokesOf(1))
    await reads(page, '1')
    await drawStrokes(page, [
      [
        [0.2, 0.2],
        [0.8, 0.2],
        [0.2, 0.8],
      ],
    ])
    await page.keyboard.press('Control+z')
    await reads(page, '1')
    await page.click('#undo')
    await page.locator('#answer').waitFor({ state: 'hidden' })
  })

  it('shows what the model saw, its embedding, and where the time went', async () => {
    const page = await openPage(browser, url)
    await page.setInputFiles('#files', join(ROOT, 'examples/seven.png'))
    await reads(page, '7')
    expect(await page.locator('#probability').textContent()).toBe('> 99.99 %')
    expect(await page.locator('#seen-shape').textContent()).toBe('28 × 28')
    expect(await page.locator('#embedding-size').textContent()).toBe('256 numbers')
    const stages = await page.locator('#stages li').allTextContents()
    expect(stages.map((text) => text.replace(/[\d.]+ ms$/, 'n'))).toEqual([
      'decode the picture n',
      'wait in the queue n',
      'compute n',
      'rest of the server n',
      'network and browser n',
    ])
    // Ink is light on dark by the time that the model sees it, and there is some.
    const shades = await page.evaluate(
      "[...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)",
    )
    const values = shades as number[]
    expect([Math.min(...values), Math.max(...values) > 200, values.filter((value) => value < 40).length > 400]).toEqual(
      [0, true, true],
    )
  })

  it('compares the last pictures: two sevens are more alike than a seven and a three', async () => {
    const page = await openPage(browser, url)
    await drawStrokes(page, strokesOf(7))
    await reads(page, '7')
    await page.setInputFiles('#files', [join(ROOT, 'examples/three.jpg'), join(ROOT, 'examples/seven.png')])
    await page.locator('#similarity-text', { hasText: /^Most alike: #1: 7 and #3: 7 / }).waitFor()
    expect(await page.locator('#map-chart').getAttribute('aria-label')).toMatch(/^Map of 3 pictures: #1: 7 at /)
    await page.locator('#tray .picture').first().click()
    expect(await page.locator('#tray .picture').first().getAttribute('aria-pressed')).toBe('true')
    await page.getByRole('button', { name: 'Remove picture #3: 7' }).click()
    expect(await page.locator('#tray .picture').count()).toBe(2)
  })

  it('gives the request as code that answers the same', async () => {
    const page = await openPage(browser, url)
    await page.setInputFiles('#files', join(ROOT, 'examples/seven.png'))
    await reads(page, '7')
    const folder = temporaryFolder()
    const seven = join(ROOT, 'examples/seven.png')
    await promisify(execFile)('cp', [seven, folder])
    const snippet = async (language: string): Promise<string> => {
      await page.getByRole('radio', { name: language }).check({ force: true })
      return (await page.locator('#snippet').textContent()) ?? ''
    }
    const curl = await promisify(execFile)('sh', ['-c', await snippet('curl')], { cwd: folder })
    expect(JSON.parse(curl.stdout).results[0].label).toBe('7')
    const args = ['--input-type=module', '-e', await snippet('JavaScript')]
    const node = await promisify(execFile)(process.execPath, args, { cwd: folder })
    expect(node.stdout).toContain("label: '7'")
    expect(await snippet('Python')).toContain('urlopen')
  })
})
