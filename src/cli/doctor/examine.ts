import { createRequire } from 'node:module'
import { ENGINE_NAMES, type EngineName } from '../../engines/engine.ts'
import { listGpuDevices } from '../../engines/gpu.ts'
import { loadReference } from '../../repository/reference.ts'
import { compareVersions, type RepositoryEntry, readRepository } from '../../repository/repository.ts'
import { engineOptions } from '../../server/assemble.ts'
import { type Config, childEnvironment } from '../../server/config.ts'
import { type EngineReport, examineEngine } from './engines.ts'
import { examineGpu, type Gpu } from './gpu.ts'
import { describeMachine, type Machine } from './machine.ts'
import { examineNative, type Native } from './native.ts'

const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

export interface Doctor {
  version: string
  machine: Machine
  native: Native
  gpu: Gpu
  model: { name: string; reference: boolean }
  engines: EngineReport[]
}

/**
 * Looks at everything, one thing after the other so that no bench disturbs another. `onStep` tells what comes next.
 * Rejects when there is no model to try; what is wrong with the machine is in the answer.
 */
export async function examine(
  config: Config,
  engines: readonly EngineName[] = ENGINE_NAMES,
  onStep: (step: string) => void = () => {},
): Promise<Doctor> {
  const entry = defaultEntry(config)
  onStep('TensorFlow')
  const native = await examineNative(config.TENSORFLOW_DIR)
  onStep('GPU')
  const gpu = await examineGpu(native, childEnvironment({}).CUDA_VISIBLE_DEVICES)
  const reports: EngineReport[] = []
  for (const { engine, device } of trials(engines, config.CUDA_VISIBLE_DEVICES ?? listGpuDevices())) {
    onStep(`engine ${engine}${device === undefined ? '' : ` on GPU ${device}`}`)
    const options = engineOptions(config)
    reports.push(await examineEngine(engine, { ...options, gpu: { ...options.gpu, device } }, entry))
  }
  return {
    version,
    machine: describeMachine(),
    native,
    gpu,
    model: {
      name: `${entry.manifest.name}/${entry.manifest.version}`,
      reference: loadReference(entry) !== undefined,
    },
    engines: reports,
  }
}

/** As the server deals them out: `cuda` has a process for each GPU, where any is known by its number. */
export function trials(engines: readonly EngineName[], gpus: string[]): { engine: EngineName; device?: string }[] {
  return engines.flatMap((engine) =>
    engine === 'cuda' && gpus.length > 0 ? gpus.map((device) => ({ engine, device })) : [{ engine }],
  )
}

/** What the server answers with when a request names no model. */
function defaultEntry({ MODEL_REPOSITORY, DEFAULT_MODEL }: Config): RepositoryEntry {
  const entries = readRepository(MODEL_REPOSITORY)
  const name = DEFAULT_MODEL ?? entries[0]?.manifest.name
  const versions = entries.filter(({ manifest }) => manifest.name === name)
  const latest = versions.sort((a, b) => compareVersions(a.manifest.version, b.manifest.version)).at(-1)
  if (latest === undefined) throw new Error(`DEFAULT_MODEL is ${name}, which is not in ${MODEL_REPOSITORY}`)
  return latest
}
