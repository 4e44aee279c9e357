import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeModel, PHOTOGRAPH_INPUT, withoutClassifier } from '../helpers/fake-model.ts'
import { greyPng } from '../helpers/pictures.ts'
import { ANY_STROKE, openPage } from './browser.ts'
import { drawStrokes, launchBrowser } from './chromium.ts'
import { fakeServer } from './fake-server.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

async function pngs(count: number) {
  const buffer = await greyPng(3, 2)
  return Array.from({ length: count }, (_, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer }))
}

/** Hands the page a picture as a drop or a paste does, which no browser lets a test do by hand. */
async function transfer(page: Page, event: 'drop' | 'paste', names: string[]): Promise<void> {
  const base64 = (await greyPng(3, 2)).toString('base64')
  await page.evaluate(`{
    const bytes = Uint8Array.from(atob('${base64}'), (character) => character.charCodeAt(0))
    const data = new DataTransfer()
    for (const name of ${JSON.stringify(names)}) data.items.add(new File([bytes], name, { type: 'image/png' }))
    const event = '${event}' === 'drop'
      ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
      : new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
    document.body.dispatchEvent(event)
  }`)
}

const countOf = (page: Page, count: number): Promise<void> =>
  page.locator(`#tray li:nth-child(${count})`).waitFor({ state: 'attached' })

describe('pictures', () => {
  it('come many at once, each asked about after the other', async () => {
    const model = new FakeModel()
    const { url } = await fakeServer({ models: [model] })
    const page = await openPage(browser, url)
    await page.setInputFiles('#files', await pngs(5))
    await countOf(page, 5)
    expect(model.calls.map(({ inputs }) => inputs.length)).toEqual([1, 1, 1, 1, 1])
  })

  it.each(['drop', 'paste'] as const)('can be given by %s', async (event) => {
    const { url, model } = await fakeServer()
    const page = await openPage(browser, url)
    await page.locator('#model:not([disabled])').waitFor()
    await transfer(page, event, ['a.png', 'b.png'])
    await countOf(page, 2)
    expect(model.calls).toHaveLength(2)
  })

  it('are kept, the last twelve of them', async () => {
    const { url } = await fakeServer()
    const page = await openPage(browser, url)
    await page.setInputFiles('#files', await pngs(14))
    await page.locator('#tray .picture', { hasText: /^#14/ }).waitFor()
    expect(await page.locator('#tray .picture').count()).toBe(12)
  })

  it('that the server does not take are named with its reason, beside the answers of the others', async () => {
    const { url } = await fakeServer()
    const page = await openPage(browser, url, { complaints: /status of 4\d\d/ })
    const text = { name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture') }
    const [first, second] = await pngs(2)
    await page.setInputFiles(
      '#files',
      [first, text, second].filter((file) => file !== undefined),
    )
    await countOf(page, 2)
    expect(await page.locator('#notice-text').textContent()).toMatch(/^notes\.png: The server says no: .+\.$/)
  })
})

describe('the models', () => {
  it('of photographs take pictures and no drawings, and what they saw has its colours', async () => {
    const input = { ...PHOTOGRAPH_INPUT, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }
    const { url } = await fakeServer({ models: [new FakeModel(), new FakeModel({ name: 'photographs', input })] })
    const page = await openPage(browser, url)
    await page.locator('#pad').waitFor()
    await page.selectOption('#model', 'photographs')
    await page.locator('#pad').waitFor({ state: 'hidden' })
    expect(await page.locator('#source-title').textContent()).toBe('Pictures')
    await page.setInputFiles('#files', await pngs(1))
    await page.locator('#answer').waitFor()
    await page.selectOption('#model', 'fake')
    await page.locator('#pad').waitFor()
  })

  it('without a classifier show their embedding alone', async () => {
    const { url } = await fakeServer({ models: [withoutClassifier()] })
    const page = await openPage(browser, url)
    await drawStrokes(page, ANY_STROKE)
    await page.locator('#embedding-chart').waitFor()
    expect(await page.locator('#classes').isVisible()).toBe(false)
    expect(await page.locator('#snippet').textContent()).toContain('/embed?')
  })

  it('of another space are not compared with', async () => {
    const others = new FakeModel({ name: 'other', embeddingSpace: 'feedfacecafebeef' })
    const { url } = await fakeServer({ models: [new FakeModel(), others] })
    const page = await openPage(browser, url)
    await page.setInputFiles('#files', await pngs(2))
    await countOf(page, 2)
    await page.selectOption('#model', 'other')
    expect(await page.locator('#tray li').count()).toBe(0)
    await page.selectOption('#model', 'fake')
    expect(await page.locator('#tray li').count()).toBe(2)
  })
})
