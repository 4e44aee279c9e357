import request from 'supertest'
import { describe, expect, it } from 'vitest'
import type { GpuFacts } from '../../src/model/engines/gpu-facts.ts'
import { Metrics } from '../../src/server/metrics.ts'
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
    expect(text).toContain('resnet_batches_total{engine="onnx",reason="idle"} 0')
  })

  it('tells of each GPU what it is and how much of its memory is taken, and of none that has gone', async () => {
    const l4 = { index: 0, uuid: 'GPU-1', name: 'NVIDIA L4', driver: '570.86.15', memoryTotalMb: 4, memoryUsedMb: 1 }
    let gpus: GpuFacts[] = [l4, { ...l4, index: 1, uuid: 'GPU-2', memoryTotalMb: undefined, memoryUsedMb: undefined }]
    const metrics = new Metrics({
      queueDepth: () => 0,
      engineRestarts: () => 0,
      engineReady: () => true,
      engineVitals: () => ({ residentBytes: 0, liveTensors: 0 }),
      gpus: () => gpus,
    })
    const series = async () => (await metrics.expose()).text.split('\n').filter((line) => line.startsWith('resnet_gpu'))
    expect(await series()).toEqual([
      'resnet_gpu_info{gpu="0",name="NVIDIA L4",uuid="GPU-1",driver="570.86.15"} 1',
      'resnet_gpu_info{gpu="1",name="NVIDIA L4",uuid="GPU-2",driver="570.86.15"} 1',
      'resnet_gpu_memory_bytes{gpu="0",name="NVIDIA L4",kind="total"} 4194304',
      'resnet_gpu_memory_bytes{gpu="0",name="NVIDIA L4",kind="used"} 1048576',
    ])
    gpus = []
    expect(await series()).toEqual([])
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
