/**
 * Writes the server's options into the schema of the Helm chart's values, so that Helm refuses one that is misspelt or out of
 * bounds before a pod is started: `npm run chart:options`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OPTIONS } from '../src/server/options.ts'

const SCHEMA = join(import.meta.dirname, '../deploy/helm/resnet-serve/values.schema.json')
/** What the chart sets itself, from values of its own. */
const SET_BY_CHART = ['HOST', 'PORT', 'GRPC_PORT', 'MODEL_REPOSITORY', 'DRAIN_DELAY_MS', 'SHUTDOWN_TIMEOUT_MS']
/** These come from Secrets. */
const SECRETS = ['API_KEYS', 'ADMIN_API_KEY']

interface Option {
  type: string
  enum?: readonly string[]
  minimum?: number
  maximum?: number
}

/** The shipped schema, and what it must be. */
export function chartSchema(): { shipped: unknown; generated: { properties: Record<string, unknown> } } {
  const shipped = JSON.parse(readFileSync(SCHEMA, 'utf8'))
  const options = Object.entries(OPTIONS as unknown as Record<string, Option>)
  const config = options.filter(([name]) => !SET_BY_CHART.includes(name) && !SECRETS.includes(name))
  const secrets = options.filter(([name]) => SECRETS.includes(name))
  const properties = {
    ...shipped.properties,
    config: object(config.map(([name, option]) => [name, value(option)])),
    secrets: object(secrets.map(([name]) => [name, { $ref: '#/definitions/secretKey' }])),
  }
  return { shipped, generated: { ...shipped, properties } }
}

function object(properties: [string, unknown][]) {
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

/** YAML's values are typed: what looks like a number or a boolean there may be quoted or not. */
function value({ type, enum: values, minimum, maximum }: Option) {
  if (type === 'boolean') return { enum: [true, false, 'true', 'false'] }
  if (values)
    return { enum: values.flatMap((text) => (/^(\d+|true|false)$/.test(text) ? [text, JSON.parse(text)] : [text])) }
  if (type === 'integer') return { type: 'integer', minimum, maximum }
  return { type: ['string', 'integer'] }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(SCHEMA, `${JSON.stringify(chartSchema().generated, null, 2)}\n`)
}
