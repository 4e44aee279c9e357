import type { EngineOptions } from '../engine.ts'

/**
 * Call this before TensorFlow is loaded: it reads its settings from the environment, at load. What the operator has set
 * stays, except for the device, which the server assigns.
 */
export function setTensorflowEnvironment(options: EngineOptions, env: NodeJS.ProcessEnv = process.env): void {
  for (const [name, value] of Object.entries(tensorflowEnvironment(options))) {
    if (env[name] === undefined || name === 'CUDA_VISIBLE_DEVICES') env[name] = value
  }
}

export function tensorflowEnvironment({ threads, gpu }: EngineOptions): Record<string, string> {
  return {
    // Errors only: the library logs a page of information at every start.
    TF_CPP_MIN_LOG_LEVEL: '2',
    // Takes memory as it is needed, instead of all of it at once.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...(gpu?.memoryLimitMb ? { TF_PER_DEVICE_MEMORY_LIMIT_MB: String(gpu.memoryLimitMb) } : {}),
    // The addon takes the last visible GPU, so each process sees only its own.
    ...(gpu?.device === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu.device }),
    ...(threads > 0 ? { TF_NUM_INTRAOP_THREADS: String(threads) } : {}),
  }
}
