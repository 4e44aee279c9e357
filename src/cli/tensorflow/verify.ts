import { fileURLToPath } from 'node:url'
import type { NativeProbe } from '../../model/engines/native-probe.ts'
import { childEnvironment } from '../../server/config.ts'
import { InstallError } from './install-error.ts'
import { lastLines, runCommand } from './run-command.ts'

export interface Verified extends NativeProbe {
  /** As TensorFlow describes them in its log. */
  devices: string[]
  /** Everything that TensorFlow logged. */
  log: string
}

/** Runs one convolution in a process of its own. Throws an InstallError with the loader's or TensorFlow's words. */
export async function verifyAddon(folder: string): Promise<Verified> {
  const { code, signal, stdout, stderr } = await runCommand(process.execPath, [...probeCommand(), folder], {
    env: childEnvironment({ TF_CPP_MIN_LOG_LEVEL: '0', TF_FORCE_GPU_ALLOW_GROWTH: 'true' }),
  })
  if (signal === 'SIGILL') throw new InstallError('libtensorflow needs instructions that this processor lacks (AVX)')
  if (signal) throw new InstallError(`the addon crashed with ${signal}:\n${lastLines(stderr)}`)
  if (code !== 0) throw new InstallError(`the addon does not work: ${errorIn(stderr)}`)
  const probe = JSON.parse(lastLines(stdout, 1)) as NativeProbe
  return { ...probe, devices: probe.gpu ? gpusIn(stderr) : ['CPU'], log: stderr }
}

/** Compiled to dist/ the probe is JavaScript; run from src/ it is TypeScript. */
function probeCommand(): string[] {
  const typescript = import.meta.url.endsWith('.ts')
  const probe = new URL(`../../model/engines/native-probe.${typescript ? 'ts' : 'js'}`, import.meta.url)
  return [...(typescript ? ['--import', import.meta.resolve('tsx')] : []), fileURLToPath(probe)]
}

function errorIn(stderr: string): string {
  return /^(?:\w*Error|Error): (.*)$/m.exec(stderr)?.[1] ?? lastLines(stderr)
}

/** From `... -> device: 0, name: NVIDIA H200, pci bus id: 0000:19:00.0, compute capability: 9.0`. */
export function gpusIn(log: string): string[] {
  const gpus = [...log.matchAll(/device: \d+, name: ([^,\n]+), pci bus id: [^,\n]+, compute capability: ([\d.]+)/g)]
  return gpus.length > 0 ? gpus.map(([, name, capability]) => `${name} (compute capability ${capability})`) : ['GPU']
}
