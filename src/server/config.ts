import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import envSchema from 'env-schema'
import { type Static, Type } from 'typebox'
import { type ApiKey, parseApiKey } from './api-keys.ts'
import { EMPTY_HAS_MEANING, OPTIONS } from './options.ts'

/** The folder of models/ and package.json: two levels above this file, in src/ and in dist/. */
const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url))

const Schema = Type.Object(OPTIONS)

export type Config = Omit<
  Static<typeof Schema>,
  | 'API_KEYS'
  | 'ADMIN_API_KEY'
  | 'GRPC_PORT'
  | 'TRUST_PROXY'
  | 'CORS_ORIGINS'
  | 'ALLOWED_BATCH_SIZES'
  | 'LOAD_MODELS'
  | 'DEFAULT_MODEL'
  | 'DEFAULT_VERSIONS'
  | 'STRICT_STARTUP'
  | 'OVERLOAD_STATUS'
  | 'CUDA_VISIBLE_DEVICES'
  | 'PLAYGROUND'
> & {
  OVERLOAD_STATUS: 429 | 503
  API_KEYS: ApiKey[]
  ADMIN_API_KEY: ApiKey | undefined
  /** Undefined where there is no gRPC. */
  GRPC_PORT: number | undefined
  TRUST_PROXY: string[]
  CORS_ORIGINS: string[]
  /** Ascending. */
  ALLOWED_BATCH_SIZES: number[]
  LOAD_MODELS: NameAndVersion[]
  DEFAULT_MODEL: string | undefined
  /** By the model's name. */
  DEFAULT_VERSIONS: ReadonlyMap<string, string>
  STRICT_STARTUP: boolean
  CUDA_VISIBLE_DEVICES: string[] | undefined
  /** The folder that the playground is built into; undefined if there is to be none. */
  PLAYGROUND: string | undefined
  /** Whether requests are traced. The OpenTelemetry SDK reads the rest of `OTEL_*` itself. */
  TRACES: boolean
}

export interface NameAndVersion {
  name: string
  /** All of them, unless given. */
  version?: string | undefined
}

/** An invalid value; the message names the option. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads the environment and the `.env` file, if there is one. An empty value is the default: container environments leave
 * unset variables empty. Throws ConfigError on the first bad value.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const all = withoutEmpty(env === process.env ? { ...dotenv(), ...env } : env)
  const values = validate(all)
  const config: Config = {
    ...values,
    MODEL_REPOSITORY: resolve(PACKAGE_ROOT, values.MODEL_REPOSITORY),
    TENSORFLOW_DIR: resolve(PACKAGE_ROOT, values.TENSORFLOW_DIR),
    OVERLOAD_STATUS: values.OVERLOAD_STATUS === '429' ? 429 : 503,
    API_KEYS: parseApiKeys(values.API_KEYS),
    TRUST_PROXY: listOf('TRUST_PROXY', values.TRUST_PROXY, isNetwork, 'an address, a network or loopback'),
    CORS_ORIGINS: listOf('CORS_ORIGINS', values.CORS_ORIGINS, isOrigin, 'an origin like https://app.example.com, or *'),
    GRPC_PORT: parsePort('GRPC_PORT', values.GRPC_PORT),
    ALLOWED_BATCH_SIZES: parseBatchSizes(values.ALLOWED_BATCH_SIZES, values.MAX_BATCH_SIZE),
    ADMIN_API_KEY: parseAdminKey(values.ADMIN_API_KEY),
    LOAD_MODELS: list(values.LOAD_MODELS).map(nameAndVersion),
    DEFAULT_MODEL: values.DEFAULT_MODEL || undefined,
    DEFAULT_VERSIONS: parseDefaultVersions(values.DEFAULT_VERSIONS),
    STRICT_STARTUP: values.STRICT_STARTUP === 'true',
    CUDA_VISIBLE_DEVICES: values.CUDA_VISIBLE_DEVICES === 'all' ? undefined : list(values.CUDA_VISIBLE_DEVICES),
    PLAYGROUND: values.PLAYGROUND === 'on' ? resolve(PACKAGE_ROOT, 'dist/web') : undefined,
    TRACES: wantsTraces(all),
  }
  if (config.MAX_INPUTS_PER_REQUEST > config.MAX_QUEUE_SIZE) {
    throw new ConfigError(
      `MAX_INPUTS_PER_REQUEST is ${config.MAX_INPUTS_PER_REQUEST}: must be at most MAX_QUEUE_SIZE (${config.MAX_QUEUE_SIZE})`,
    )
  }
  if (!config.METRICS_PUBLIC && config.API_KEYS.length === 0) {
    throw new ConfigError('METRICS_PUBLIC is false: needs API_KEYS, since there is no key to ask for')
  }
  if (config.MAX_PENDING_BYTES < config.MAX_BODY_BYTES) {
    throw new ConfigError(
      `MAX_PENDING_BYTES is ${config.MAX_PENDING_BYTES}: must be at least MAX_BODY_BYTES (${config.MAX_BODY_BYTES})`,
    )
  }
  return config
}

/** What Node, the loader, glibc and the native libraries read, by name or as a prefix. */
const PASSED_ON =
  /^((PATH|HOME|LANG|LANGUAGE|TZ|TZDIR|TMPDIR|TMP|TEMP|GLIBC_TUNABLES|NODE_(OPTIONS|ENV|PATH|V8_COVERAGE))$|(LC|LD|DYLD|MALLOC|TCMALLOC|UV|CUDA|CUDNN|CUBLAS|NCCL|NVIDIA|TF|XLA|ORT|OMP|GOMP|KMP|MKL|DNNL|ONEDNN)_)/i

/** Secrets that begin alike: NVIDIA_API_KEY, and Terraform's variables. */
const SECRET = /KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|^TF_VAR_/i

/**
 * The environment of a child process that runs native libraries: what they and Node read of this process's, with these
 * variables on top. An allow-list, since secrets have any name, API_KEYS among them: a child that crashes or logs has none
 * to show. NODE_OPTIONS is in it because what an operator says of Node there is meant for all its processes.
 */
export function childEnvironment(variables: Record<string, string> = {}): NodeJS.ProcessEnv {
  const passedOn = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name) && !SECRET.test(name))
  return { ...Object.fromEntries(passedOn), ...variables }
}

/**
 * The environment of npm, pip and compilers: all of this process's but the server's own secrets, with these variables on
 * top. They are the operator's own tools, whose settings, proxies and credentials have any name.
 */
export function toolEnvironment(variables: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { API_KEYS: _keys, ADMIN_API_KEY: _key, ...env } = process.env
  return { ...env, ...variables }
}

/** OpenTelemetry's general variables, of which one that asks for what is not here stops the start. */
function wantsTraces(env: NodeJS.ProcessEnv): boolean {
  const exporter = env.OTEL_TRACES_EXPORTER
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return false
  if (exporter !== undefined && exporter !== 'otlp') {
    throw new ConfigError(`OTEL_TRACES_EXPORTER is "${exporter}": must be otlp or none`)
  }
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (exporter === undefined && endpoint === undefined) return false
  for (const name of ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    const protocol = env[name]
    if (protocol === 'http/protobuf') break
    if (protocol !== undefined) throw new ConfigError(`${name} is "${protocol}": must be http/protobuf`)
  }
  return true
}

/** What is in the file. The SDK of OpenTelemetry finds its part of it in this process's environment. */
function dotenv(): NodeJS.ProcessEnv {
  try {
    const file = parseEnv(readFileSync(resolve('.env'), 'utf8'))
    for (const [name, value] of Object.entries(file)) if (name.startsWith('OTEL_')) process.env[name] ??= value
    return file
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new ConfigError(`.env: ${(error as Error).message}`, { cause: error })
  }
}

function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== '' || EMPTY_HAS_MEANING.has(name)))
}

function validate(env: NodeJS.ProcessEnv): Static<typeof Schema> {
  try {
    return envSchema<Static<typeof Schema>>({
      schema: Schema,
      data: env,
      env: false,
      ajv: { customOptions: (ajv) => ajv.addVocabulary(['unit', 'effect']) },
    })
  } catch (error) {
    const [first] = (error as { errors?: { instancePath: string; message?: string; params?: object }[] }).errors ?? []
    if (first === undefined) throw error
    const option = first.instancePath.slice(1)
    const allowed = first.params && 'allowedValues' in first.params ? ` (${String(first.params.allowedValues)})` : ''
    throw new ConfigError(`${option} is ${JSON.stringify(env[option])}: ${first.message}${allowed}`, { cause: error })
  }
}

/**
 * A list without a key in it was meant to ask for one: it must not leave the server open. Messages never hold an entry, since
 * it may be a secret.
 */
function parseApiKeys(value: string): ApiKey[] {
  const entries = list(value)
  if (value !== '' && entries.length === 0) throw new ConfigError(`API_KEYS is "${value}": has no key in it`)
  return entries.map((entry, i) => {
    const key = parseApiKey(entry, i + 1)
    if (key) return key
    const forms = 'key, name:key or name:sha256:<64 hex digits>, with letters, digits and . _ - in the name'
    throw new ConfigError(`API_KEYS: entry ${i + 1} of ${entries.length} must be ${forms}`)
  })
}

/** One key, in the forms of API_KEYS. */
function parseAdminKey(value: string): ApiKey | undefined {
  if (value === '') return undefined
  const key = parseApiKey(value, 0)
  if (key) return { ...key, name: 'admin' }
  throw new ConfigError('ADMIN_API_KEY must be one key, without spaces, or sha256:<64 hex digits>')
}

function listOf(option: string, value: string, isValid: (item: string) => boolean, what: string): string[] {
  const items = list(value)
  const wrong = items.find((item) => !isValid(item))
  if (wrong !== undefined) throw new ConfigError(`${option} is "${value}": ${wrong} is not ${what}`)
  return items
}

/** As `trustProxy` of Fastify takes it. */
function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address = '', bits = '1', ...rest] = text.split('/')
  const version = isIP(address)
  return version !== 0 && rest.length === 0 && /^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}

/** As a browser's `Origin` header says it. */
function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text)
}

function parsePort(option: string, value: string): number | undefined {
  if (value === '') return undefined
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
  if (port <= 65_535) return port
  throw new ConfigError(`${option} is "${value}": must be a port from 0 to 65535, or empty`)
}

function parseDefaultVersions(value: string): Map<string, string> {
  const versions = new Map<string, string>()
  for (const item of list(value)) {
    const { name, version } = nameAndVersion(item)
    if (!version || versions.has(name)) {
      throw new ConfigError(`DEFAULT_VERSIONS is "${value}": must be name:version, and one for each name`)
    }
    versions.set(name, version)
  }
  return versions
}

/** `name` or `name:version`; neither has a colon in it. */
function nameAndVersion(item: string): NameAndVersion {
  const [name = '', version] = item.split(':', 2)
  return { name, version: version || undefined }
}

function parseBatchSizes(value: string, maxBatchSize: number): number[] {
  if (value === '') {
    const sizes = [maxBatchSize]
    for (let size = 1; size < maxBatchSize; size *= 2) sizes.push(size)
    return sizes.sort((a, b) => a - b)
  }
  const sizes = list(value).map(Number)
  const valid = sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= maxBatchSize)
  if (!valid || !sizes.includes(maxBatchSize)) {
    throw new ConfigError(
      `ALLOWED_BATCH_SIZES is "${value}": must be integers from 1 to MAX_BATCH_SIZE (${maxBatchSize}), that one included`,
    )
  }
  return [...new Set(sizes)].sort((a, b) => a - b)
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
