import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type GpuFacts, readGpuFacts } from '../../engines/gpu.ts'
import { childEnvironment } from '../../server/config.ts'
import { firstLine } from '../run-command.ts'
import { checkLibraries, type Library, librariesOf } from './libraries.ts'
import type { Native } from './native.ts'

export interface Gpu {
  /** From nvidia-smi; undefined without it. */
  devices: GpuFacts[] | undefined
  /** From the kernel's driver, for machines and containers without nvidia-smi. */
  kernel: { driver: string; models: string[] } | undefined
  /** Empty unless libtensorflow is built with CUDA. */
  libraries: Library[]
  /** Why TensorFlow computes on the CPU; empty if it uses a GPU or there is none. */
  reasons: string[]
}

/** What the driver and TensorFlow say of the GPUs, and why TensorFlow uses none. */
export async function examineGpu(native: Native, visibleDevices: string | undefined): Promise<Gpu> {
  const devices = await readGpuFacts(childEnvironment())
  const kernel = readKernelDriver()
  const libraries =
    native.cuda && native.addon ? await checkLibraries(librariesOf(native.tensorflow), join(native.addon, 'deps')) : []
  const gpu = { devices, kernel, libraries }
  return { ...gpu, reasons: whyNoGpu(native, gpu, visibleDevices) }
}

/** `proc` is the driver's folder. Undefined where no NVIDIA driver is loaded. */
export function readKernelDriver(proc = '/proc/driver/nvidia'): Gpu['kernel'] {
  try {
    const version = readFileSync(join(proc, 'version'), 'utf8')
    const models = readdirSync(join(proc, 'gpus')).map((gpu) => {
      const information = readFileSync(join(proc, 'gpus', gpu, 'information'), 'utf8')
      return /^Model:\s*(.*)$/m.exec(information)?.[1] ?? gpu
    })
    return { driver: /Kernel Module\s+(?:for \S+\s+)?(\S+)/.exec(version)?.[1] ?? 'unknown', models }
  } catch {
    return undefined
  }
}

/** The most likely cause first. */
export function whyNoGpu(
  native: Native,
  { devices, kernel, libraries }: Omit<Gpu, 'reasons'>,
  visibleDevices: string | undefined,
): string[] {
  const visible = (devices?.length ?? 0) > 0 || (kernel?.models.length ?? 0) > 0
  if (native.gpu || !visible) return []
  if (native.addon === undefined || native.cuda === undefined) return native.error === undefined ? [] : [native.error]
  if (!native.cuda) return ['this libtensorflow is built without CUDA: resnet-serve install-tensorflow --gpu']
  const reasons = native.error === undefined ? [] : [firstLine(native.error)]
  if (visibleDevices !== undefined && /^(-1)?$/.test(visibleDevices.trim())) {
    reasons.push(`CUDA_VISIBLE_DEVICES is "${visibleDevices}", which hides every GPU`)
  }
  for (const { name, missing } of libraries) if (missing !== undefined) reasons.push(describe(name, missing))
  // TensorFlow's own complaints, except about libraries that are named already.
  reasons.push(...complaintsIn(native.log ?? '').filter((line) => !libraries.some(({ name }) => line.includes(name))))
  return reasons.length > 0 ? reasons : ['TensorFlow does not say; its log above the first device may']
}

/** The driver's libraries come from outside the container, the others from install-tensorflow. */
function describe(name: string, missing: string): string {
  if (name === 'libcuda.so.1') return `${missing} (the driver’s; in a container, run it with --gpus all)`
  if (name === 'libnvidia-ml.so.1') {
    return `${missing} (the driver’s; in a container, NVIDIA_DRIVER_CAPABILITIES=compute,utility)`
  }
  return `${missing} (install-tensorflow --gpu brings it)`
}

/** Lines of TensorFlow's log about failures with CUDA, without time and file. */
export function complaintsIn(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /could not load dynamic|failed call to cuInit|driver version|could not find cuda/i.test(line))
    .map((line) => line.replace(/^.*?\.cc:\d+\] /, '').trim())
}
