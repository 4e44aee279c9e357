import { ENGINE_NAMES, type EngineName } from '../../engines/engine.ts'
import { listGpuDevices } from '../../engines/gpu.ts'
import { loadReference } from '../../repository/reference.ts'
import { compareVersions, type RepositoryEntry, readRepository } from '../../repository/repository.ts'
import { version } from '../../routes/info.ts'
import { engineOptions } from '../../server/assemble.ts'
import { type Config, childEnvironment } from '../../server/config.ts'
import { type EngineReport, examineEngine } from './engines.ts'
import { examineGpu, type Gpu } from './gpu.ts'
import { describeMachine, type Machine } from './machine.ts'
import { examineNative, type Native } from './native.ts'

export interface Doctor {
  version: string
  machine: Machine
  native: Native
  gpu: Gpu
  model: { name: string; reference: boolean }
  engines: EngineReport[]
}

/**
 * Examines everything in sequence, so that no bench disturbs another. `onStep` announces each step. Rejects if there is
 * no model to try; problems of the machine are in the report.
 */
export async function examine(
  config: Config,
  engines: readonly EngineName[] = ENGINE_NAMES,
  onStep: (step: string) => void = () => {},
): Promise<Doctor> {
  const entry = await defaultEntry(config)
  onStep('TensorFlow')
  const native = await examineNative(config.TENSORFLOW_DIR)
  onStep('GPU')
  const gpu = await examineGpu(native, childEnvironment().CUDA_VISIBLE_DEVICES)
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

/** As in the server, `cuda` has a process for each GPU, if any GPU is listed. */
export function trials(engines: readonly EngineName[], gpus: string[]): { engine: EngineName; device?: string }[] {
  return engines.flatMap((engine) =>
    engine === 'cuda' && gpus.length > 0 ? gpus.map((device) => ({ engine, device })) : [{ engine }],
  )
}

/** The server's default model. */
async function defaultEntry({ MODEL_REPOSITORY, DEFAULT_MODEL }: Config): Promise<RepositoryEntry> {
  const entries = await readRepository(MODEL_REPOSITORY)
  const name = DEFAULT_MODEL ?? entries[0]?.manifest.name
  const versions = entries.filter(({ manifest }) => manifest.name === name)
  const latest = versions.sort((a, b) => compareVersions(a.manifest.version, b.manifest.version)).at(-1)
  if (latest === undefined) throw new Error(`DEFAULT_MODEL is ${name}, which is not in ${MODEL_REPOSITORY}`)
  return latest
}
