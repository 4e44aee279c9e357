import type { NativeProbe } from '../../engines/tensorflow/native-probe.ts'
import { childEnvironment } from '../../server/config.ts'
import { childModule } from '../child-module.ts'
import { lastLines, runCommand } from '../run-command.ts'
import { InstallError } from './install-error.ts'

interface Verified extends NativeProbe {
  /** As TensorFlow describes them in its log. */
  devices: string[]
  /** Everything that TensorFlow logged. */
  log: string
}

const PROBE = new URL('../../engines/tensorflow/native-probe.ts', import.meta.url)

/** TensorFlow logs each library that it opens, and does not reserve the whole memory of the GPU. */
const ENVIRONMENT = { TF_CPP_MIN_LOG_LEVEL: '0', TF_CPP_VMODULE: 'dso_loader=1', TF_FORCE_GPU_ALLOW_GROWTH: 'true' }

/** The addon cannot be loaded, or cannot run a convolution. */
export class AddonError extends InstallError {
  /** Everything that TensorFlow logged before. */
  readonly log: string

  constructor(message: string, log: string) {
    super(message)
    this.log = log
  }
}

/** Runs one convolution in a process of its own. Throws an AddonError with the loader's or TensorFlow's words. */
export async function verifyAddon(folder: string): Promise<Verified> {
  const { code, signal, stdout, stderr } = await runCommand(process.execPath, [...childModule(PROBE), folder], {
    env: childEnvironment(ENVIRONMENT),
  })
  if (code !== 0) throw new AddonError(failure(signal, stderr), stderr)
  const probe = JSON.parse(lastLines(stdout, 1)) as NativeProbe
  return { ...probe, devices: probe.gpu ? gpusIn(stderr) : ['CPU'], log: stderr }
}

function failure(signal: NodeJS.Signals | null, stderr: string): string {
  if (signal === 'SIGILL') return 'libtensorflow needs instructions that this processor lacks (AVX)'
  if (signal) return `the addon crashed with ${signal}\n${lastLines(stderr)}`
  return `the addon does not work: ${/^\w*Error: (.*)$/m.exec(stderr)?.[1] ?? lastLines(stderr)}`
}

/** From `... -> device: 0, name: NVIDIA H200, pci bus id: 0000:19:00.0, compute capability: 9.0`. */
export function gpusIn(log: string): string[] {
  const gpus = [...log.matchAll(/device: \d+, name: ([^,\n]+), pci bus id: [^,\n]+, compute capability: ([\d.]+)/g)]
  return gpus.length > 0 ? gpus.map(([, name, capability]) => `${name} (compute capability ${capability})`) : ['GPU']
}
