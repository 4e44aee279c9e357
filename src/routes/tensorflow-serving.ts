import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { ServeError } from '../errors.ts'
import type { Model, Prediction } from '../model/model.ts'
import { patience } from './client-signal.ts'
import { type ErrorFormat, errorAnswers } from './error-format.ts'
import { infer } from './infer.ts'
import { readImageInput } from './inputs/image-text.ts'
import { EXAMPLE_PNG, parseJson } from './inputs/json.ts'
import { assertInputCount, type RawInput } from './inputs/raw-input.ts'
import { probabilitiesOf } from './results.ts'
import { setServerTiming } from './server-timing.ts'
import type { Services } from './services.ts'

/** Errors as TensorFlow Serving's REST API writes them. */
export const tensorflowServingFormat: ErrorFormat = ({ detail }) => ({
  type: 'application/json; charset=utf-8',
  body: { error: detail },
})

const ErrorSchema = Type.Object({ error: Type.String() })

const BodySchema = Type.Object(
  {
    signature_name: Type.Optional(Type.Literal('serving_default')),
    instances: Type.Optional(
      Type.Array(Type.Unknown(), {
        minItems: 1,
        description: 'Rows: each nested numbers as /classify takes them, or `{"b64": ...}`, bare or under one name.',
      }),
    ),
    inputs: Type.Optional(
      Type.Union([Type.Array(Type.Unknown(), { minItems: 1 }), Type.Record(Type.String(), Type.Unknown())], {
        description: 'The same as a column, bare or under one name; the answer then has `outputs`.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ instances: [{ b64: EXAMPLE_PNG }] }] },
)

const SCHEMA = {
  summary: 'Logits, probabilities and embeddings, as TensorFlow Serving gives them',
  description: 'A model without a classifier has one output, its embedding, which comes without a name.',
  tags: ['tensorflow-serving'],
  body: BodySchema,
  response: {
    200: Type.Object({
      predictions: Type.Optional(Type.Array(Type.Unknown())),
      outputs: Type.Optional(Type.Unknown()),
    }),
    ...errorAnswers(ErrorSchema),
  } as Record<string, unknown>,
}

/** Two colons stand for one; a parameter in front of it needs an expression to end. */
const ROUTES = [
  { operationId: 'predict', url: '/v1/models/:model(^[^:]+)::predict' },
  { operationId: 'predictVersion', url: '/v1/models/:model/versions/:version(^[^:]+)::predict' },
]

interface Request {
  Params: { model: string; version?: string }
  Body: Static<typeof BodySchema>
}

/** `POST /v1/models/{model}[/versions/{version}]:predict`. */
export function predict(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    // TensorFlow Serving does not look at the type, and `curl -d` alone says that it is a form.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
      parseJson(body, services.limits),
    )
    for (const { operationId, url } of ROUTES) {
      app.post<Request>(url, { schema: { operationId, ...SCHEMA } }, async (request, reply) => {
        const { params, body } = request
        const model = services.models.get(params.model, params.version)
        const rows = rowsOf(body)
        assertInputCount(rows.length, services.limits.maxInputs)
        const inputs = rows.map(readRow)
        const inference = await infer(services, { model, inputs, ...patience(request, reply) })
        const outputs = outputsOf(inference.predictions as Prediction[], model)
        setServerTiming(request, reply, services, inference)
        return body.instances ? { predictions: asRows(outputs) } : { outputs: asColumns(outputs) }
      })
    }
  }
}

/** The inputs, not yet read. Throws `missing_input` or `malformed_body`. */
function rowsOf({ instances, inputs }: Static<typeof BodySchema>): unknown[] {
  if (instances !== undefined && inputs !== undefined) {
    throw new ServeError('malformed_body', 'send instances or inputs, not both')
  }
  const rows = instances ?? (isObject(inputs) ? onlyMember(inputs) : inputs)
  if (rows === undefined) throw new ServeError('missing_input', 'send instances, or inputs of one name')
  if (!Array.isArray(rows) || rows.length === 0) throw new ServeError('malformed_body', 'inputs must be a list')
  return rows
}

function readRow(row: unknown): RawInput {
  const value = isObject(row) && !('b64' in row) ? onlyMember(row) : row
  if (Array.isArray(value)) return { tensor: value }
  const b64 = isObject(value) && 'b64' in value ? onlyMember(value) : undefined
  if (typeof b64 === 'string') return readImageInput(b64)
  return { error: new ServeError('malformed_body', 'it must be nested numbers, or a picture as {"b64": "..."}') }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value of an object's one member; undefined where it has none or several. */
function onlyMember(value: object): unknown {
  const [member, ...others] = Object.values(value)
  return others.length === 0 ? member : undefined
}

/** Each output as a column: one vector for each input. */
type Outputs = Record<string, Float32Array[]>

function outputsOf(predictions: Prediction[], { manifest }: Model): Outputs {
  const embedding = predictions.map((prediction) => prediction.embedding)
  if (manifest.architecture.numClasses === 0) return { embedding }
  const logits = predictions.map((prediction) => prediction.logits)
  return {
    logits,
    probabilities: logits.map((each) => probabilitiesOf(each, manifest.activation)),
    embedding,
  }
}

/** TensorFlow Serving leaves the name out where there is one output. */
function asColumns(outputs: Outputs): unknown {
  return Object.keys(outputs).length === 1 ? onlyMember(outputs) : outputs
}

function asRows(outputs: Outputs): unknown[] {
  const [[, first = []] = [], ...others] = Object.entries(outputs)
  if (others.length === 0) return first
  return first.map((_, i) => Object.fromEntries(Object.entries(outputs).map(([name, column]) => [name, column[i]])))
}
