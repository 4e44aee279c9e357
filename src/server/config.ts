import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import envSchema from 'env-schema'
import { type Static, type TSchema, Type } from 'typebox'
import { ENGINE_NAMES, PRECISIONS } from '../model/engines/engine.ts'

/** Where models/ and package.json lie: two folders above this file, in src/ and in dist/ alike. */
const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Option {
  default: string | number
  /** Of the value; shown in the documentation. */
  unit: string
  /** What changes when the value does, in one sentence. */
  effect: string
}

function text(option: Option) {
  return Type.String({ ...option, default: String(option.default) })
}

function count(option: Option, minimum: number, maximum: number) {
  return Type.Integer({ ...option, minimum, maximum })
}

function choice<const Values extends readonly string[]>(values: Values, option: Option) {
  return Type.Unsafe<Values[number]>({ type: 'string', enum: values, ...option })
}

const MIB = 2 ** 20

/** Every option the server has. docs/configuration.md is generated from this schema, and a test keeps the two equal. */
export const OPTIONS = {
  HOST: text({ default: '127.0.0.1', unit: 'address', effect: 'Address to listen on; `0.0.0.0` in containers.' }),
  PORT: count({ default: 8080, unit: 'port', effect: 'Port to listen on; 0 takes any free one.' }, 0, 65535),
  LISTEN_WHEN: choice(['starting', 'ready'], {
    default: 'starting',
    unit: 'moment',
    effect:
      'When the port is opened: at once, so that probes are answered while models load, or once they are loaded, for balancers that do not probe (nginx).',
  }),
  LOG_LEVEL: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    unit: 'level',
    effect: 'Least severe log line that is written.',
  }),
  API_KEYS: text({
    default: '',
    unit: 'comma-separated list',
    effect: 'When set, inference and /info need `Authorization: Bearer <one of them>`.',
  }),

  MODEL_REPOSITORY: text({
    default: 'models',
    unit: 'folder',
    effect: 'Every `<name>/<version>/` in it is served; a relative path starts where the server is installed.',
  }),
  DEFAULT_MODEL: text({
    default: '',
    unit: 'model name',
    effect: 'Answers requests that name no model; empty takes the first name in alphabetical order.',
  }),

  ENGINE: choice(['auto', ...ENGINE_NAMES], {
    default: 'auto',
    unit: 'engine',
    effect: 'What runs the model; `auto` takes the first that works of cuda, onnx, wasm. One named here must work.',
  }),
  ENGINE_THREADS: count(
    {
      default: 0,
      unit: 'threads',
      effect: 'Threads that compute, all engine processes together; 0 takes one per core.',
    },
    0,
    1024,
  ),
  ENGINE_PROCESSES: count(
    {
      default: 0,
      unit: 'processes',
      effect:
        'Engine processes that share the threads of a CPU, each with a batch of its own (onnx, wasm); 0 takes two, or one where there is one thread. One needs least memory.',
    },
    0,
    64,
  ),
  PRECISION: choice(['auto', ...PRECISIONS], {
    default: 'auto',
    unit: 'precision',
    effect:
      'What the model computes in; `auto` takes int8 where the engine, the model and the processor allow it, else fp32. One named here must work.',
  }),
  TENSORFLOW_DIR: text({
    default: '.tensorflow',
    unit: 'folder',
    effect:
      'Where `resnet-serve install-tensorflow` puts the native library and its addon, and the engines cuda and tensorflow look for them first; a relative path starts where the server is installed.',
  }),
  CUDA_VISIBLE_DEVICES: text({
    default: 'all',
    unit: 'comma-separated list',
    effect:
      'GPUs to use, by index or UUID, one engine process each; `all` takes those that the driver lists, empty none.',
  }),
  GPU_MEMORY_LIMIT_MB: count(
    {
      default: 0,
      unit: 'MB',
      effect: 'Memory that TensorFlow takes of each GPU at the most; 0 lets it grow as needed.',
    },
    0,
    1_000_000,
  ),
  ENGINE_BATCH_TIMEOUT_MS: count(
    {
      default: 30_000,
      unit: 'ms',
      effect: 'An engine process whose batch takes longer is killed and restarted, and the batch run once more.',
    },
    10,
    3_600_000,
  ),
  ENGINE_HEARTBEAT_TIMEOUT_MS: count(
    {
      default: 60_000,
      unit: 'ms',
      effect: 'An engine process silent for longer is killed and restarted; must exceed the slowest batch and load.',
    },
    1000,
    3_600_000,
  ),

  MAX_BATCH_SIZE: count({ default: 32, unit: 'inputs', effect: 'Inputs computed together at the most.' }, 1, 4096),
  BATCH_TIMEOUT_MS: count(
    {
      default: 0,
      unit: 'ms',
      effect: 'How long a free engine waits for an underfull batch to grow; 0 never waits.',
    },
    0,
    10_000,
  ),
  ALLOWED_BATCH_SIZES: text({
    default: '',
    unit: 'comma-separated list',
    effect:
      'Sizes that batches are padded up to on engines where a new size is slow (cuda); empty takes the powers of two up to MAX_BATCH_SIZE.',
  }),
  MAX_QUEUE_SIZE: count(
    { default: 1024, unit: 'inputs', effect: 'Inputs that may wait; one more is refused with 503.' },
    1,
    1_000_000,
  ),
  CACHE_MB: count(
    {
      default: 0,
      unit: 'MB',
      effect:
        'Memory for answers to inputs seen before; equal inputs at the same time are then computed once. 0 computes every input.',
    },
    0,
    1_000_000,
  ),
  OVERLOAD_STATUS: choice(['503', '429'], {
    default: '503',
    unit: 'HTTP status',
    effect: 'Of refusals for overload: a full queue, a deadline that cannot be met, a server short of time or memory.',
  }),
  REQUEST_TIMEOUT_MS: count(
    {
      default: 30_000,
      unit: 'ms',
      effect: 'A request without an answer by then gets 504; clients can shorten it by header, not extend it.',
    },
    1,
    3_600_000,
  ),

  MAX_BODY_BYTES: count(
    { default: 16 * MIB, unit: 'bytes', effect: 'A larger request body, or one file in it, is refused with 413.' },
    1024,
    2 ** 31,
  ),
  MAX_PENDING_BYTES: count(
    {
      default: 256 * MIB,
      unit: 'bytes',
      effect: 'Request bodies held at once, all together; one more is refused as overload. At least MAX_BODY_BYTES.',
    },
    1024,
    2 ** 40,
  ),
  MAX_JSON_VALUES: count(
    {
      default: 400_000,
      unit: 'values',
      effect:
        'JSON with more is refused with 413, an array or object counting as ten; nothing else is answered while it is parsed, about 0.2 ms for a thousand.',
    },
    1000,
    100_000_000,
  ),
  MAX_INPUTS_PER_REQUEST: count(
    { default: 256, unit: 'inputs', effect: 'A request with more is refused with 413; at most MAX_QUEUE_SIZE.' },
    1,
    100_000,
  ),
  MAX_IMAGE_PIXELS: count(
    { default: 50_000_000, unit: 'pixels', effect: 'A larger image is refused with 413 before it is decoded.' },
    1,
    1_000_000_000,
  ),
  MAX_IMAGE_SIDE: count(
    { default: 32_768, unit: 'pixels', effect: 'A wider or higher image is refused with 413 before it is decoded.' },
    1,
    1_000_000,
  ),
  DECODE_TIMEOUT_S: count(
    { default: 10, unit: 's', effect: 'An image that takes longer to decode is refused with 413.' },
    1,
    3600,
  ),

  MAX_EVENT_LOOP_DELAY_MS: count(
    {
      default: 1000,
      unit: 'ms',
      effect:
        'While the event loop is later than this, on average over a second, inference is refused as overload; 0 never refuses.',
    },
    0,
    60_000,
  ),
  MAX_RSS_BYTES: count(
    {
      default: 0,
      unit: 'bytes',
      effect:
        'While the HTTP process holds more memory, without the engine process, inference is refused as overload; 0 never refuses.',
    },
    0,
    2 ** 50,
  ),

  MAX_CONNECTIONS: count(
    { default: 10_000, unit: 'connections', effect: 'Open at once; one more is closed as soon as it is made.' },
    1,
    1_000_000,
  ),
  MAX_REQUESTS_PER_CONNECTION: count(
    {
      default: 10_000,
      unit: 'requests',
      effect: 'The last one is answered with `Connection: close`, so that clients spread anew; 0 is no limit.',
    },
    0,
    1_000_000_000,
  ),
  KEEP_ALIVE_TIMEOUT_MS: count(
    {
      default: 72_000,
      unit: 'ms',
      effect: 'How long an idle connection stays open; must exceed that of the balancer in front.',
    },
    1,
    3_600_000,
  ),

  DRAIN_DELAY_MS: count(
    {
      default: 0,
      unit: 'ms',
      effect: 'After SIGTERM, how long requests are still served while /readyz says 503, for balancers to notice.',
    },
    0,
    600_000,
  ),
  SHUTDOWN_TIMEOUT_MS: count(
    { default: 10_000, unit: 'ms', effect: 'After DRAIN_DELAY_MS, how long requests in flight may take to finish.' },
    0,
    600_000,
  ),
} satisfies Record<string, TSchema>

const Schema = Type.Object(OPTIONS)

export type Config = Omit<
  Static<typeof Schema>,
  'API_KEYS' | 'ALLOWED_BATCH_SIZES' | 'DEFAULT_MODEL' | 'OVERLOAD_STATUS' | 'CUDA_VISIBLE_DEVICES'
> & {
  OVERLOAD_STATUS: 429 | 503
  API_KEYS: string[]
  /** Ascending. */
  ALLOWED_BATCH_SIZES: number[]
  DEFAULT_MODEL: string | undefined
  CUDA_VISIBLE_DEVICES: string[] | undefined
}

/** A value that cannot be used; the message names the option. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads the environment (and a `.env` file, where there is one). Throws ConfigError on the first bad value. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const values = validate(env)
  const config: Config = {
    ...values,
    MODEL_REPOSITORY: resolve(PACKAGE_ROOT, values.MODEL_REPOSITORY),
    TENSORFLOW_DIR: resolve(PACKAGE_ROOT, values.TENSORFLOW_DIR),
    OVERLOAD_STATUS: values.OVERLOAD_STATUS === '429' ? 429 : 503,
    API_KEYS: list(values.API_KEYS),
    ALLOWED_BATCH_SIZES: parseBatchSizes(values.ALLOWED_BATCH_SIZES, values.MAX_BATCH_SIZE),
    DEFAULT_MODEL: values.DEFAULT_MODEL || undefined,
    CUDA_VISIBLE_DEVICES: values.CUDA_VISIBLE_DEVICES === 'all' ? undefined : list(values.CUDA_VISIBLE_DEVICES),
  }
  if (config.MAX_INPUTS_PER_REQUEST > config.MAX_QUEUE_SIZE) {
    throw new ConfigError(
      `MAX_INPUTS_PER_REQUEST is ${config.MAX_INPUTS_PER_REQUEST}: must be at most MAX_QUEUE_SIZE (${config.MAX_QUEUE_SIZE})`,
    )
  }
  if (config.MAX_PENDING_BYTES < config.MAX_BODY_BYTES) {
    throw new ConfigError(
      `MAX_PENDING_BYTES is ${config.MAX_PENDING_BYTES}: must be at least MAX_BODY_BYTES (${config.MAX_BODY_BYTES})`,
    )
  }
  return config
}

/** What a child process gets: this process's environment with these variables on top. */
export function childEnvironment(variables: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...variables }
}

function validate(env: NodeJS.ProcessEnv): Static<typeof Schema> {
  try {
    return envSchema<Static<typeof Schema>>({
      schema: Schema,
      data: env,
      env: false,
      dotenv: env === process.env,
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
