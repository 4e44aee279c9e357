/**
 * A failure of the device, recognised by its message: TensorFlow passes its status codes to JavaScript only as text.
 *
 * - `out_of_memory`: the batch did not fit; a smaller one may.
 * - `device_lost`: the driver or the CUDA context is broken. CUDA does not recover from that within a process.
 */
type DeviceError = 'out_of_memory' | 'device_lost'

const OUT_OF_MEMORY = new RegExp(
  [
    '\\bOOM\\b',
    'RESOURCE_EXHAUSTED',
    'ResourceExhausted',
    'out of memory',
    'failed to allocate memory',
    '(?:CUDNN|CUBLAS)_STATUS_ALLOC_FAILED',
    // cuDNN 9.
    'CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED',
  ].join('|'),
  'i',
)

const DEVICE_LOST = new RegExp(
  [
    'CUDA_ERROR_(?!OUT_OF_MEMORY)\\w+',
    'CUDNN_STATUS_(?:INTERNAL_ERROR|EXECUTION_FAILED|MAPPING_ERROR|NOT_INITIALIZED)',
    'CUBLAS_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED)',
    'illegal memory access',
    'unspecified launch failure',
    'device-side assert',
    'uncorrectable ECC error',
    'GPU (?:is|has fallen) (?:lost|off the bus)',
    'device (?:is )?lost',
  ].join('|'),
  'i',
)

/** Undefined if the error is not the device's but the input's or the model's. */
export function deviceErrorOf(error: unknown): DeviceError | undefined {
  const message = error instanceof Error ? error.message : String(error)
  if (OUT_OF_MEMORY.test(message)) return 'out_of_memory'
  if (DEVICE_LOST.test(message)) return 'device_lost'
  return undefined
}
