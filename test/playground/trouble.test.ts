import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import type { Readiness } from '../../src/routes/services.ts'
import { answer, FakeModel } from '../helpers/fake-model.ts'
import { ANY_STROKE, openPage } from './browser.ts'
import { drawStrokes, launchBrowser } from './chromium.ts'
import { fakeServer } from './fake-server.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const notice = (page: Page, text: RegExp): Promise<void> => page.locator('#notice-text', { hasText: text }).waitFor()

describe('a server', () => {
  it('is asked one thing at a time, however much is drawn, and about the last of it', async () => {
    const model = new FakeModel()
    const { url } = await fakeServer({ models: [model] })
    let [running, most] = [0, 0]
    const release: (() => void)[] = []
    model.respond = async (inputs) => {
      most = Math.max(most, ++running)
      await new Promise<void>((done) => release.push(done))
      running--
      return inputs.map(answer)
    }
    const page = await openPage(browser, url)
    await drawStrokes(page, ANY_STROKE)
    await expect.poll(() => release.length).toBe(1)
    for (let i = 0; i < 4; i++) await drawStrokes(page, ANY_STROKE)
    expect(model.calls).toHaveLength(1)
    release[0]?.()
    await expect.poll(() => release.length).toBe(2)
    release[1]?.()
    await page.locator('#answer').waitFor()
    expect([most, model.calls.length]).toEqual([1, 2])
  })

  it('that is down is told from one that refuses, and is asked again by a click', async () => {
    const { app, url, port } = await fakeServer()
    const page = await openPage(browser, url, { complaints: /ERR_/ })
    await page.locator('#model:not([disabled])').waitFor()
    await app.close()
    await drawStrokes(page, ANY_STROKE)
    await notice(page, /^The server cannot be reached\. Is it still running\?$/)
    await fakeServer({}, port)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('#answer').waitFor()
    expect(await page.locator('#notice').isVisible()).toBe(false)
  })

  it('that is overloaded is asked again when it said', async () => {
    const model = new FakeModel()
    const { url } = await fakeServer({ models: [model] })
    let refusals = 2
    model.respond = async (inputs) => {
      if (refusals-- > 0) throw new ServeError('queue_full', 'the queue is full', { retryAfterS: 1 })
      return inputs.map(answer)
    }
    const page = await openPage(browser, url, { complaints: /503/ })
    await drawStrokes(page, ANY_STROKE)
    await notice(page, /^The server cannot answer now: the queue is full\. It is asked again in 1 s\.$/)
    await page.locator('#answer').waitFor()
    expect(model.calls).toHaveLength(3)
    expect(await page.locator('#notice').isVisible()).toBe(false)
  })

  it('that is slow can be left, and asked again', async () => {
    const model = new FakeModel()
    const { url } = await fakeServer({ models: [model] })
    let isSlow = true
    let left = false
    model.respond = async (inputs, { signal }) => {
      if (!isSlow) return inputs.map(answer)
      await new Promise<void>((done) => signal?.addEventListener('abort', done))
      left = true
      throw new ServeError('canceled', 'the client left')
    }
    const page = await openPage(browser, url)
    await drawStrokes(page, ANY_STROKE)
    await notice(page, /^The server is slow: /)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await notice(page, /^You canceled the request\.$/)
    await expect.poll(() => left).toBe(true)
    isSlow = false
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('#answer').waitFor()
  })

  it('that is starting is waited for', async () => {
    let readiness: Readiness = 'starting'
    const { url, services } = await fakeServer({ services: { readiness: () => readiness }, models: [] })
    const page = await openPage(browser, url)
    await notice(page, /^The server is starting\.$/)
    services.models.add(new FakeModel())
    readiness = 'ready'
    await page.locator('#model:not([disabled])').waitFor()
    await drawStrokes(page, ANY_STROKE)
    await page.locator('#answer').waitFor()
  })
})

describe('an API key', () => {
  it('is asked for, and kept for the tab alone', async () => {
    const { url } = await fakeServer({ apiKeys: ['right'] })
    const page = await openPage(browser, url, { complaints: /401/ })
    const dialog = page.getByRole('dialog', { name: 'API key' })
    await dialog.waitFor()
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The server does not know the key that was used.').waitFor()
    await page.getByLabel('Key', { exact: true }).fill('right')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await drawStrokes(page, ANY_STROKE)
    await page.locator('#answer').waitFor()
    const code = await page.locator('#snippet').textContent()
    expect(code).toContain('$API_KEY')
    expect(code).not.toContain('right')

    await page.reload()
    await page.locator('#model:not([disabled])').waitFor()
    expect(await dialog.isVisible()).toBe(false)
    const other = await page.context().newPage()
    await other.goto(url)
    await other.getByRole('dialog').waitFor()
  })

  it('can be refused, and entered later', async () => {
    const { url } = await fakeServer({ apiKeys: ['right'] })
    const page = await openPage(browser, url, { complaints: /401/ })
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await notice(page, /^This server asks for an API key\.$/)
    await page.getByRole('button', { name: 'Enter a key' }).click()
    await page.getByLabel('Key', { exact: true }).fill('right')
    await page.keyboard.press('Enter')
    await page.locator('#model:not([disabled])').waitFor()
  })
})
