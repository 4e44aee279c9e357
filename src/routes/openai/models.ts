import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { ModelCatalog } from '../../model/catalog.ts'
import type { Model } from '../../model/model.ts'
import type { Services } from '../services.ts'
import { ERRORS } from './error.ts'

/** `created` of every model (Unix seconds): a model on disk has no date, so it is when this server started. */
const STARTED = Math.floor(Date.now() / 1000)

/** Any but those that end in TensorFlow Serving's `:predict`, which take POST. */
const MODEL_PATH = '/v1/models/:model(^(?!.*:predict$).+)'

const ModelSchema = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'When the server started.' }),
  owned_by: Type.String(),
})
const ListSchema = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelSchema) })

/** The model that OpenAI's `model` names: `name` or `name:version`. Names hold no colon. Throws `model_not_found`. */
export function findModel(models: ModelCatalog, id: string | undefined): Model {
  const [name, ...rest] = id?.split(':') ?? []
  return models.get(name, rest.length === 0 ? undefined : rest.join(':'))
}

/** `GET /v1/models` and `GET /v1/models/{id}`: what `model` can be, each by its name. */
export function models(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    const list = {
      operationId: 'listModels',
      summary: 'Models, as OpenAI lists them',
      tags: ['openai'],
      response: { 200: ListSchema, ...ERRORS },
    }
    const links = Object.fromEntries(['retrieveModel', 'predictions', 'predict'].map((id) => [id, useOf(id)]))
    app.get('/v1/models', { schema: list, links: { 200: links } }, () => {
      const names = new Set(services.models.list().map(({ manifest }) => manifest.name))
      return { object: 'list' as const, data: [...names].map(describe) }
    })

    const schema = {
      operationId: 'retrieveModel',
      summary: 'One model, as OpenAI describes it',
      tags: ['openai'],
      params: Type.Object({ model: Type.String({ description: '`name` or `name:version`.' }) }),
      response: { 200: ModelSchema, ...ERRORS },
    }
    app.get(MODEL_PATH, { schema }, ({ params }) => {
      findModel(services.models, params.model)
      return describe(params.model)
    })
  }
}

/** An OpenAPI link: a model that is listed here can be asked there. */
function useOf(operationId: string): object {
  return { operationId, parameters: { model: '$response.body#/data/0/id' } }
}

function describe(id: string) {
  return { id, object: 'model' as const, created: STARTED, owned_by: 'resnet-serve' }
}
