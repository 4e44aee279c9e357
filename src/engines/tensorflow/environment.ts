import type { EngineOptions } from '../engine.ts'

/**
 * TensorFlow takes its settings from the environment alone, and reads them when its library is loaded: call this before.
 * What the operator has set by hand stays, but for the device, which the server deals out itself.
 */
export function setTensorflowEnvironment(options: EngineOptions, env: NodeJS.ProcessEnv = process.env): void {
  for (const [name, value] of Object.entries(tensorflowEnvironment(options))) {
    if (env[name] === undefined || name === 'CUDA_VISIBLE_DEVICES') env[name] = value
  }
}

export function tensorflowEnvironment({ threads, gpu }: EngineOptions): Record<string, string> {
  return {
    // Errors only: the library greets every process with a page of what it was not built for.
    TF_CPP_MIN_LOG_LEVEL: '2',
    // Memory as it is needed, instead of the whole card at once.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...(gpu?.memoryLimitMb ? { TF_PER_DEVICE_MEMORY_LIMIT_MB: String(gpu.memoryLimitMb) } : {}),
    // With several GPUs visible the addon takes the last one, so each process sees just its own.
    ...(gpu?.device === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu.device }),
    ...(threads > 0 ? { TF_NUM_INTRAOP_THREADS: String(threads) } : {}),
  }
}
