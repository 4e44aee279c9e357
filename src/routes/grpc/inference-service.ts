import type { Model } from '../../model/model.ts'
import { modelConfig, modelMetadata, serverMetadata } from '../open-inference/metadata.ts'
import { modelStatistics } from '../open-inference/statistics.ts'
import type { Services } from '../services.ts'
import { findModel, type ModelInferRequest, modelInfer } from './model-infer.ts'
import { type Answer, type Patience, unaryService } from './unary.ts'

export const INFERENCE_SERVICE = 'inference.GRPCInferenceService'

interface Named {
  name: string
  version: string
}

/**
 * The Open Inference Protocol's service, with Triton's ModelConfig, ModelStatistics and RepositoryIndex. grpc-js answers
 * every other method with UNIMPLEMENTED.
 */
export function inferenceService(services: Services) {
  const { models, readiness } = services
  const engine = (): string | undefined => services.engine()?.engine
  const isReady = (): boolean => readiness() === 'ready'
  const named = ({ name, version }: Named): Model => findModel(services, name, version)
  const answers: Record<string, Answer> = {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: isReady() }),
    ServerMetadata: () => serverMetadata({ repository: undefined }),
    ModelReady: ({ name, version }: Named) => ({
      ready:
        isReady() && (version === '' ? models.versionsOf(name).length > 0 : models.versionsOf(name).includes(version)),
    }),
    ModelMetadata: (request: Named) => modelMetadata(named(request), models.versionsOf(request.name), engine()),
    ModelConfig: (request: Named) => ({ config: modelConfig(named(request), engine()) }),
    ModelStatistics: (request: Named) => ({ model_stats: chosen(request).map(modelStatistics) }),
    RepositoryIndex: () => ({
      models: models.list().map(({ manifest: { name, version } }) => ({ name, version, state: 'READY' })),
    }),
    ModelInfer: (request: ModelInferRequest, patience: Patience) => modelInfer(services, request, patience),
  }

  /** Without a name all, without a version all of the name's. */
  function chosen(request: Named): Model[] {
    if (request.name === '') return models.list()
    if (request.version !== '') return [named(request)]
    // Throws where there are none.
    named(request)
    return models.list().filter(({ manifest }) => manifest.name === request.name)
  }

  return unaryService(INFERENCE_SERVICE, answers, services)
}
