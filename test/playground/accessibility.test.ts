import axe, { type AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { greyPng } from '../helpers/pictures.ts'
import { ANY_STROKE, openPage } from './browser.ts'
import { drawStrokes, launchBrowser } from './chromium.ts'
import { fakeServer } from './fake-server.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** What axe finds wrong, of WCAG 2.2 AA and its own best practices. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const results = (await page.evaluate('axe.run()')) as AxeResults
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}

/** The page with all that it can show. */
async function fill(page: Page): Promise<void> {
  await drawStrokes(page, ANY_STROKE)
  await page.locator('#answer').waitFor()
  const buffer = await greyPng(3, 2)
  await page.setInputFiles('#files', [
    { name: 'a.png', mimeType: 'image/png', buffer },
    { name: 'b.png', mimeType: 'image/png', buffer: Buffer.from('no picture') },
  ])
  await page.locator('#comparison').waitFor()
  await page.locator('#notice').waitFor()
}

describe.each(['light', 'dark'] as const)('the page in the %s scheme', (colorScheme) => {
  it.each([360, 768, 1280])('is accessible at %i pixels, and not wider than that', async (width) => {
    const { url } = await fakeServer()
    const viewport = { width, height: 800 }
    // axe is a script that the page's own policy would refuse.
    const page = await openPage(browser, url, { colorScheme, viewport, bypassCSP: true, complaints: /422/ })
    await page.locator('#model:not([disabled])').waitFor()
    expect(await violations(page)).toEqual([])
    await fill(page)
    expect(await violations(page)).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
  })

  it('asks for a key accessibly', async () => {
    const { url } = await fakeServer({ apiKeys: ['right'] })
    const page = await openPage(browser, url, { colorScheme, bypassCSP: true, complaints: /401/ })
    await page.getByRole('dialog').waitFor()
    expect(await violations(page)).toEqual([])
  })
})

describe('the keyboard', () => {
  it('reaches everything that a mouse does', async () => {
    const { url } = await fakeServer()
    const page = await openPage(browser, url, { complaints: /422/ })
    await fill(page)
    await page.evaluate('document.activeElement.blur()')
    const reached: string[] = []
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab')
      const name = await page.evaluate(
        "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.value || ''",
      )
      reached.push(name as string)
    }
    for (const name of ['model', 'pad', 'new-drawing', 'undo', 'save', 'files', 'copy', 'curl']) {
      expect(reached).toContain(name)
    }
    expect(reached.filter((name) => /^(Show|Remove) picture/.test(name)).length).toBeGreaterThanOrEqual(4)
  })
})
