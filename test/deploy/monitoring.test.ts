import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { dashboardJson } from '../../deploy/monitoring/dashboard.ts'
import { build } from '../helpers/build.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const alerts = read('deploy/monitoring/alerts.yml')
const tests = read('deploy/monitoring/alerts.test.yml')
const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)

async function metricNames(): Promise<Set<string>> {
  const { app } = await build()
  const { text } = await request(app.server).get('/metrics')
  return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name))
}

// What needs Prometheus itself is in `npm run test:monitoring`.
describe('monitoring', () => {
  it('has a dashboard that is what its script writes (npm run docs:dashboard)', () => {
    expect(read('deploy/monitoring/grafana/dashboard.json')).toBe(dashboardJson())
  })

  it.each([
    ['the dashboard', dashboardJson()],
    ['the alerts', alerts],
  ])('has metrics of the server alone in %s', async (_, text) => {
    const known = await metricNames()
    const asked = [...text.matchAll(/\b(?:resnet|process|nodejs)_\w+/g)].map(([name]) => name)
    expect(asked.length).toBeGreaterThan(5)
    const unknown = asked.filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, '')))
    expect(unknown).toEqual([])
  })

  it('has a metric in docs/monitoring.md for each of the server’s', async () => {
    const documented = read('docs/monitoring.md')
    const own = [...(await metricNames())].filter((name) => name.startsWith('resnet_'))
    expect(own.filter((name) => !documented.includes(`\`${name}\``))).toEqual([])
  })

  it.each(names)('has a test, a runbook and its anchor for %s', (name) => {
    expect(tests).toContain(`alertname: ${name}\n`)
    expect(read('docs/runbook.md')).toContain(`\n## ${name}\n`)
    expect(alerts).toContain(`runbook: docs/runbook.md#${name.toLowerCase()}\n`)
  })

  it('has a panel for each that the runbook names', () => {
    const titles = new Set([...dashboardJson().matchAll(/"title": "(.*)"/g)].map(([, title]) => title))
    const named = [...read('docs/runbook.md').matchAll(/look at \*(.+?)\*/gi)].map(([, title]) => title)
    expect(named.length).toBeGreaterThan(4)
    expect(named.filter((title) => !titles.has(title))).toEqual([])
  })
})
