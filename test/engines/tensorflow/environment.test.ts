import { describe, expect, it } from 'vitest'
import { setTensorflowEnvironment, tensorflowEnvironment } from '../../../src/engines/tensorflow/environment.ts'

const OPTIONS = { threads: 0, precision: 'auto', tensorflowDir: '/nowhere' } as const

describe('tensorflowEnvironment', () => {
  it('lets GPU memory grow, and leaves threads and devices to TensorFlow', () => {
    expect(tensorflowEnvironment(OPTIONS)).toEqual({ TF_CPP_MIN_LOG_LEVEL: '2', TF_FORCE_GPU_ALLOW_GROWTH: 'true' })
  })

  it('pins the process to its GPU and bounds its memory and threads', () => {
    const gpu = { device: '3', memoryLimitMb: 4096 }
    expect(tensorflowEnvironment({ ...OPTIONS, threads: 4, gpu })).toMatchObject({
      CUDA_VISIBLE_DEVICES: '3',
      TF_PER_DEVICE_MEMORY_LIMIT_MB: '4096',
      TF_NUM_INTRAOP_THREADS: '4',
    })
  })

  it('keeps what the operator has set by hand, but for the device', () => {
    const env = { TF_CPP_MIN_LOG_LEVEL: '0', CUDA_VISIBLE_DEVICES: '0,1' }
    setTensorflowEnvironment({ ...OPTIONS, gpu: { device: '1' } }, env)
    expect(env).toEqual({ TF_CPP_MIN_LOG_LEVEL: '0', CUDA_VISIBLE_DEVICES: '1', TF_FORCE_GPU_ALLOW_GROWTH: 'true' })
  })
})
