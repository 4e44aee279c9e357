import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'

/** One NVIDIA GPU as its driver describes it, in the words of the doctor's report and of `/info`. */
export interface GpuFacts {
  /** The driver's number for it, which CUDA_VISIBLE_DEVICES understands where CUDA_DEVICE_ORDER is PCI_BUS_ID. */
  index: number
  uuid: string
  name: string
  /** Version of the driver, `570.86.15` say. */
  driver: string
  /** MiB; undefined where the driver does not tell (MIG, WSL). */
  memory_total_mb: number | undefined
  memory_used_mb: number | undefined
}

const FIELDS = ['index', 'uuid', 'name', 'driver_version', 'memory.total', 'memory.used']

/** A driver in trouble can leave nvidia-smi hanging. */
const TIMEOUT_MS = 5000

/**
 * The GPUs that the driver sees, which are not always those that TensorFlow can use. Undefined where there is no
 * nvidia-smi, or none that answers; never rejects.
 */
export async function readGpuFacts(): Promise<GpuFacts[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'],
      { timeout: TIMEOUT_MS },
    )
    return parseGpuFacts(stdout)
  } catch {
    return undefined
  }
}

/** One line per GPU, fields in the order asked for. Lines that are something else ("No devices were found") are left out. */
export function parseGpuFacts(text: string): GpuFacts[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim())
    const [index, uuid, name, driver, total, used] = fields
    if (fields.length !== FIELDS.length || !uuid || !name || !driver || !/^\d+$/.test(index ?? '')) return []
    const memory = { memory_total_mb: megabytes(total), memory_used_mb: megabytes(used) }
    return [{ index: Number(index), uuid, name, driver, ...memory }]
  })
}

function megabytes(field: string | undefined): number | undefined {
  return field !== undefined && /^\d+$/.test(field) ? Number(field) : undefined
}

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
