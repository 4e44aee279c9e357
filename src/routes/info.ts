import { createRequire } from 'node:module'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Model } from '../model/model.ts'
import type { Services } from './services.ts'

/** From package.json. */
export const { name, version } = createRequire(import.meta.url)('../../package.json') as Record<
  'name' | 'version',
  string
>

/** `GET /info`: the models, the engine and why better ones were passed over, and the limits. */
export function info(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    const schema = {
      summary: 'Models, engine and limits',
      tags: ['info'],
      response: { 200: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true }) },
    }
    const links = { 200: { classify: useOf('classify'), embed: useOf('embed') } }
    app.get('/info', { schema, links }, () => {
      const { engine, details, passedOver } = services.engine() ?? {}
      const { maxBodyBytes, maxInputs, requestTimeoutMs } = services.limits
      return {
        name,
        version,
        node: process.version,
        status: services.readiness(),
        engine: engine === undefined ? null : { name: engine, ...details, passed_over: passedOver },
        gpus: services.gpus().map(({ index, name: gpu, driver, memory_total_mb }) => {
          return { index, name: gpu, driver, memory_total_mb }
        }),
        default_model: services.models.defaultName ?? null,
        models: services.models.list().map(describe),
        limits: { max_body_bytes: maxBodyBytes, max_inputs: maxInputs, request_timeout_ms: requestTimeoutMs },
      }
    })
  }
}

/** An OpenAPI link: a model that is listed here can be asked there. */
function useOf(operationId: string): object {
  return { operationId, parameters: { model: '$response.body#/default_model' } }
}

function describe({ manifest, precision, precisionReason }: Model): object {
  const { architecture, input } = manifest
  return {
    name: manifest.name,
    version: manifest.version,
    description: manifest.description,
    precision,
    precision_reason: precisionReason,
    architecture: {
      block: architecture.block,
      layers: architecture.layers,
      width: architecture.width,
      shortcut: architecture.shortcut,
      in_channels: architecture.inChannels,
      embedding_size: architecture.embeddingSize,
      num_classes: architecture.numClasses,
    },
    input: asInModelJson(input),
    labels: manifest.labels,
    weights_sha256: manifest.weightsSha256,
    provenance: manifest.provenance,
    metrics: manifest.metrics,
  }
}

/** The same values under the names that they have in model.json. */
function asInModelJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asInModelJson)
  if (typeof value !== 'object' || value === null) return value
  const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snakeCase(name), asInModelJson(inner)]))
}
