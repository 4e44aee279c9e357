import { readdirSync } from 'node:fs'

/** One folder per GPU that this machine, or this container, was given by the driver. */
const DRIVER_FOLDER = '/proc/driver/nvidia/gpus'

/** GPUs by CUDA's index, ["0", "1", ...]; empty where there is no NVIDIA driver. */
export function listGpuDevices(folder = DRIVER_FOLDER): string[] {
  try {
    return readdirSync(folder).map((_, index) => String(index))
  } catch {
    return []
  }
}
