import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { LoadReport } from '../../src/server/load-report.ts'
import { build } from '../helpers/build.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { floats } from '../helpers/pictures.ts'

function setUp() {
  const clock = new FakeClock()
  const now = { cpuMs: 0, memory: 0.25, queue: 0 }
  const report = new LoadReport({
    clock,
    cores: 4,
    cpuMs: () => now.cpuMs,
    memory: () => now.memory,
    queue: () => now.queue,
  })
  return { clock, now, report }
}

describe('LoadReport', () => {
  it('says how busy the last second was, in the text form', async () => {
    const { clock, now, report } = setUp()
    for (let i = 0; i < 30; i++) report.countRequest(i < 3)
    report.countBatch(400)
    report.countBatch(350)
    now.cpuMs = 600
    now.queue = 0.5
    await clock.advance(1000)
    expect(report.render('text')).toBe(
      'TEXT application_utilization=1.25,cpu_utilization=0.15,mem_utilization=0.25,rps_fractional=30,eps=3,' +
        'named_metrics.engine_utilization=0.75,named_metrics.queue_utilization=0.5',
    )
  })

  it('says the same as JSON, with the names of the protocol’s message', async () => {
    const { clock, report } = setUp()
    report.countBatch(500)
    await clock.advance(1000)
    const [form, ...json] = report.render('json').split(' ')
    expect(form).toBe('JSON')
    expect(JSON.parse(json.join(' '))).toEqual({
      application_utilization: 0.5,
      cpu_utilization: 0,
      mem_utilization: 0.25,
      rps_fractional: 0,
      eps: 0,
      named_metrics: { engine_utilization: 0.5, queue_utilization: 0 },
    })
  })

  it('takes the queue as it is now, and rates from the last full second', async () => {
    const { clock, now, report } = setUp()
    report.countBatch(500)
    await clock.advance(1000)
    report.render('text')
    report.countBatch(500)
    now.queue = 1
    await clock.advance(500)
    expect(report.render('text')).toContain('application_utilization=1.5,')
  })

  it('forgets a busy second after a quiet one', async () => {
    const { clock, report } = setUp()
    report.countBatch(1000)
    await clock.advance(1000)
    report.render('text')
    await clock.advance(1000)
    expect(report.render('text')).toContain('application_utilization=0,')
  })
})

describe('the header endpoint-load-metrics', () => {
  const { report } = setUp()
  const send = async (path: string, format?: 'text' | 'json') => {
    const { app } = await build({ app: { loadReport: format && { report, format } } })
    const { headers } = await request(app.server)
      .post(path)
      .type('application/octet-stream')
      .send(floats(1, 2, 3, 4, 5, 6))
    return headers['endpoint-load-metrics']
  }

  it('is on inference answers, in the form asked for', async () => {
    expect(await send('/classify', 'text')).toMatch(/^TEXT application_utilization=/)
    expect(await send('/embed?include=nothing', 'json')).toMatch(/^JSON \{"application_utilization":/)
  })

  it('is left out when switched off', async () => {
    expect(await send('/classify')).toBeUndefined()
  })
})
