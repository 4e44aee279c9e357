import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Model } from '../../model/model.ts'
import { assertReady } from '../health.ts'
import type { Services } from '../services.ts'
import { modelConfig, modelMetadata, serverMetadata } from './metadata.ts'
import {
  ModelConfig,
  ModelMetadata,
  ModelNames,
  ModelParams,
  ModelReady,
  ModelStatistics,
  ServerMetadata,
  schemaOf,
  VersionParams,
} from './schemas.ts'
import { modelStatistics } from './statistics.ts'

/** `GET /v2` and what is below it: the server, its models, their configuration and statistics. */
export function openInferenceModels(services: Services): FastifyPluginAsyncTypebox {
  const { models } = services
  const engine = (): string | undefined => services.engine()?.engine
  const statistics = (some: Model[]): object => ({ model_stats: some.map(modelStatistics) })

  return async (app) => {
    app.get('/v2', { schema: schemaOf('The server and its extensions', ServerMetadata) }, () =>
      serverMetadata(services),
    )
    app.get('/v2/models', { schema: schemaOf('Names of the models', ModelNames) }, () => ({
      models: [...new Set(models.list().map(({ manifest }) => manifest.name))],
    }))
    app.get('/v2/models/stats', { schema: schemaOf('Statistics of all models', ModelStatistics) }, () =>
      statistics(models.list()),
    )

    for (const [path, params] of [
      ['/v2/models/:model', ModelParams],
      ['/v2/models/:model/versions/:version', VersionParams],
    ] as const) {
      const of = ({ model, version }: { model: string; version?: string }): Model => models.get(model, version)

      app.get(path, { schema: { params, ...schemaOf('Inputs and outputs', ModelMetadata) } }, ({ params }) => {
        const model = of(params)
        return modelMetadata(model, models.versionsOf(model.manifest.name), engine())
      })
      app.get(`${path}/ready`, { schema: { params, ...schemaOf('Is it served', ModelReady) } }, ({ params }) => {
        const { manifest } = of(params)
        assertReady(services)
        return { name: manifest.name, ready: true }
      })
      app.get(`${path}/config`, { schema: { params, ...schemaOf('Configuration', ModelConfig) } }, ({ params }) =>
        modelConfig(of(params), engine()),
      )
      // Without a version, of all.
      app.get(`${path}/stats`, { schema: { params, ...schemaOf('Statistics', ModelStatistics) } }, ({ params }) => {
        const { manifest } = of(params)
        const versions = 'version' in params ? [manifest.version] : models.versionsOf(manifest.name)
        return statistics(versions.map((version) => models.get(manifest.name, version)))
      })
    }
  }
}
