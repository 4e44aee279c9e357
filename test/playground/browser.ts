import { resolve } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

/** The page as it is built and shipped. */
export const PLAYGROUND = resolve(import.meta.dirname, '../../dist/web')

interface PageOptions extends BrowserContextOptions {
  /** What the console may complain of: requests that fail, where the test makes them fail. */
  complaints?: RegExp
}

/**
 * The page at this address, in a browser that knows nothing yet. Fails the test at its end if the page threw, or if the console
 * complained, as it does of what the content security policy refuses.
 */
export async function openPage(browser: Browser, url: string, options: PageOptions = {}): Promise<Page> {
  const { complaints, ...contextOptions } = options
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...contextOptions })
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !complaints?.test(message.text())) wrong.push(message.text())
  })
  onTestFinished(async () => {
    await context.close()
    expect(wrong).toEqual([])
  })
  await page.goto(url)
  return page
}

/** A stroke that says nothing, for servers whose answer does not depend on it. */
export const ANY_STROKE: [number, number][][] = [
  [
    [0.3, 0.3],
    [0.6, 0.7],
  ],
]
