import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'

describe('GET /metrics', () => {
  it('has the series of batching and of every stage before the first request', async () => {
    const { app } = await build()
    const { text } = await request(app.server).get('/metrics')
    for (const stage of ['request', 'decode', 'queue', 'compute']) {
      expect(text).toContain(`resnet_${stage}_duration_seconds_count 0`)
    }
    expect(text).toContain('resnet_batch_size_count 0')
    expect(text).toContain('resnet_queue_depth 0')
    expect(text).toContain('resnet_ready 1')
    expect(text).toContain('resnet_request_timeout_seconds 10')
    expect(text).toMatch(/# TYPE resnet_engine_restarts_total counter\nresnet_engine_restarts_total 0/)
    expect(text).toContain('resnet_batches_total{engine="onnx",reason="idle"} 0')
  })

  it('counts requests by route and status, failures by code, and times the stages', async () => {
    const { app } = await build()
    const agent = request(app.server)
    await agent.post('/classify').send({
      inputs: [
        {
          tensor: [
            [1, 2, 3],
            [4, 5, 6],
          ],
        },
      ],
    })
    await agent.post('/classify').send({ inputs: [] })
    await agent.get('/nothing/here')
    const { text } = await agent.get('/metrics')
    expect(text).toContain('resnet_requests_total{route="/classify",method="POST",status="200"} 1')
    expect(text).toContain('resnet_requests_total{route="/classify",method="POST",status="400"} 1')
    expect(text).toContain('resnet_request_errors_total{code="malformed_body"} 1')
    expect(text).toContain('resnet_queue_duration_seconds_sum 0.002')
    expect(text).toContain('resnet_compute_duration_seconds_sum 0.003')
    // A path that a client makes up must not make up a series.
    expect(text).toContain('resnet_requests_total{route="none",method="GET",status="404"} 1')
    expect(text).not.toContain('/nothing/here')
  })
})
