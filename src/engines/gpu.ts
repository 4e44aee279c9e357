import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'

/** One NVIDIA GPU as its driver describes it. */
export interface GpuFacts {
  /** The driver's index, which is CUDA's too if CUDA_DEVICE_ORDER is PCI_BUS_ID. */
  index: number
  name: string
  /** Version, like `570.86.15`. */
  driver: string
  /** MiB; undefined if the driver does not say (MIG, WSL). */
  memory_total_mb: number | undefined
  memory_used_mb: number | undefined
}

const FIELDS = ['index', 'name', 'driver_version', 'memory.total', 'memory.used']

/** A faulty driver can make nvidia-smi hang. */
const TIMEOUT_MS = 5000

/**
 * The GPUs that the driver sees; TensorFlow may not be able to use all. Undefined if nvidia-smi is missing or fails; never
 * rejects. `env` is nvidia-smi's whole environment.
 */
export async function readGpuFacts(env: NodeJS.ProcessEnv): Promise<GpuFacts[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'],
      { timeout: TIMEOUT_MS, env },
    )
    return parseGpuFacts(stdout)
  } catch {
    return undefined
  }
}

/** Parses one line per GPU, with the fields in the order of FIELDS. Skips other lines ("No devices were found"). */
export function parseGpuFacts(text: string): GpuFacts[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim())
    const [index, name, driver, total, used] = fields
    if (fields.length !== FIELDS.length || !name || !driver || !/^\d+$/.test(index ?? '')) return []
    const memory = { memory_total_mb: megabytes(total), memory_used_mb: megabytes(used) }
    return [{ index: Number(index), name, driver, ...memory }]
  })
}

function megabytes(field: string | undefined): number | undefined {
  return field !== undefined && /^\d+$/.test(field) ? Number(field) : undefined
}

/** Has one folder per GPU of this machine or container. */
const DRIVER_FOLDER = '/proc/driver/nvidia/gpus'

/** CUDA's indexes of the GPUs, ["0", "1", ...]; empty without an NVIDIA driver. */
export function listGpuDevices(folder = DRIVER_FOLDER): string[] {
  try {
    return readdirSync(folder).map((_, index) => String(index))
  } catch {
    return []
  }
}
