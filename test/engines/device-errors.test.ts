import { describe, expect, it } from 'vitest'
import { deviceErrorOf } from '../../src/engines/device-errors.ts'

describe('deviceErrorOf', () => {
  it.each([
    'Session fail to run with error: OOM when allocating tensor with shape[32,64,28,28] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc',
    'RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1073741824 bytes.',
    'CUDA_ERROR_OUT_OF_MEMORY: out of memory',
    'CUDNN_STATUS_ALLOC_FAILED',
    'CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED',
    'failed to create cublas handle: CUBLAS_STATUS_ALLOC_FAILED',
  ])('knows a batch that does not fit: %s', (message) => {
    expect(deviceErrorOf(new Error(message))).toBe('out_of_memory')
  })

  it.each([
    'Could not synchronize CUDA stream: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered',
    'failed to enqueue async memcpy from host to device: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure',
    'CUDNN_STATUS_EXECUTION_FAILED in tensorflow/stream_executor/cuda/cuda_dnn.cc(4369)',
    'CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered',
    'GPU is lost. Reboot the system to recover this GPU',
  ])('knows a device that is gone: %s', (message) => {
    expect(deviceErrorOf(new Error(message))).toBe('device_lost')
  })

  it.each(['no model digits/1 is loaded', 'Incompatible shapes: [1,2] vs. [3]', ''])(
    'takes anything else for the failure of the input or the model: "%s"',
    (message) => expect(deviceErrorOf(new Error(message))).toBeUndefined(),
  )

  it('reads what is thrown as it comes', () => {
    expect(deviceErrorOf('OOM when allocating')).toBe('out_of_memory')
  })
})
