import { type TSchema, Type } from 'typebox'
import { ENGINE_NAMES, PRECISIONS } from '../engines/engine.ts'

// Each option is a row of docs/configuration.md: default, unit, bounds, and its effect in one or two short sentences.
function text(fallback: string, unit: string, effect: string) {
  return Type.String({ default: fallback, unit, effect })
}

function count(fallback: number, unit: string, [minimum, maximum]: [number, number], effect: string) {
  return Type.Integer({ default: fallback, minimum, maximum, unit, effect })
}

function choice<const Value extends string>(fallback: Value, unit: string, values: readonly Value[], effect: string) {
  return Type.Unsafe<Value>({ type: 'string', enum: values, default: fallback, unit, effect })
}

const MIB = 2 ** 20

/** Every option of the server. docs/configuration.md is generated from this schema; a test keeps the two equal. */
export const OPTIONS = {
  HOST: text(
    '127.0.0.1',
    'address',
    'Address to listen on; `0.0.0.0` in containers. `localhost` takes both 127.0.0.1 and ::1, where they are there. conda sets a `HOST` of its own: unset it.',
  ),
  PORT: count(8080, 'port', [0, 65535], 'Port to listen on; 0 takes any free one.'),
  GRPC_PORT: text(
    '',
    'port',
    'Port for gRPC (Open Inference Protocol), at the same address; 0 takes any free one. Empty: there is no gRPC.',
  ),
  LISTEN_WHEN: choice(
    'starting',
    'moment',
    ['starting', 'ready'],
    '`starting` opens the port at once, so that probes are answered while models load. `ready` opens it once they are loaded, for balancers that do not probe (nginx).',
  ),
  LOG_LEVEL: choice(
    'info',
    'level',
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'Lowest severity that is logged, as JSON lines on stdout. At `info` each request has a line; those are written together, at most a second late.',
  ),
  API_KEYS: text(
    '',
    'comma-separated list',
    'If set, inference and /info require `Authorization: Bearer <one of them>`. Each is `key`, `name:key` or `name:sha256:<hex digest of the key>`; names are in the log and the metrics.',
  ),
  METRICS_PUBLIC: Type.Boolean({
    default: true,
    unit: '`true`, `false`',
    effect: '`false` asks for an API key at /metrics too.',
  }),
  RATE_LIMIT: count(
    0,
    'requests a minute',
    [0, 1_000_000_000],
    'What one caller (an API key, or else an address) may ask for, but for health and /metrics; more is 429. 0 is no limit.',
  ),
  TRUST_PROXY: text(
    '',
    'comma-separated list',
    'Addresses and networks (`10.0.0.0/8`) of the proxies whose `X-Forwarded-For` says who calls; also `loopback`, `linklocal`, `uniquelocal`. Empty takes the connection’s own address.',
  ),
  CORS_ORIGINS: text(
    '',
    'comma-separated list',
    'Origins (`https://app.example.com`) whose pages may call from a browser; `*` is all. Empty is none.',
  ),

  PLAYGROUND: choice(
    'on',
    'setting',
    ['on', 'off'],
    '`off` removes the playground, the page at `/` where one draws or drops pictures and sees what the model makes of them.',
  ),

  MODEL_REPOSITORY: text(
    'models',
    'folder',
    'Every `<name>/<version>/` in it is served; a relative path starts at the installation folder.',
  ),
  LOAD_MODELS: text(
    '',
    'comma-separated list',
    'Models to load, as `name` (all its versions) or `name:version`; empty loads all.',
  ),
  DEFAULT_MODEL: text(
    '',
    'model name',
    'Model for requests that name none; empty takes the first name in alphabetical order.',
  ),
  DEFAULT_VERSIONS: text(
    '',
    'comma-separated list',
    'Versions for requests that name none, as `name:version`; a model that is not in it answers in its highest.',
  ),
  STRICT_STARTUP: choice(
    'true',
    'boolean',
    ['true', 'false'],
    'Whether a model that is missing or broken keeps the server from starting. `false` starts without it and says so in the log and in the index.',
  ),
  MAX_LOADED_MODELS: count(
    0,
    'versions',
    [0, 100_000],
    'Loading one more is refused; each takes memory in every engine process. 0 is no limit.',
  ),
  WATCH_REPOSITORY_S: count(
    0,
    's',
    [0, 86_400],
    'How often MODEL_REPOSITORY is looked through for new versions, which are loaded once two looks find the same files; 0 never looks.',
  ),
  ADMIN_API_KEY: text(
    '',
    'secret',
    'If set, models are listed, loaded and unloaded by `POST /v2/repository/...` with `Authorization: Bearer <it>`. One key, or `sha256:<64 hex digits>` of it. Without it these paths do not exist.',
  ),

  ENGINE: choice(
    'auto',
    'engine',
    ['auto', ...ENGINE_NAMES],
    'Library that runs the model. `auto` takes the first that works of cuda, onnx, wasm; an engine named here must work.',
  ),
  ENGINE_THREADS: count(
    0,
    'threads',
    [0, 1024],
    'Compute threads of all engine processes together; 0 takes one per core.',
  ),
  ENGINE_PROCESSES: count(
    0,
    'processes',
    [0, 64],
    'Engine processes that share the CPU, each with its own batch (onnx, wasm). 0 takes two, or one if there is one thread. One process needs the least memory.',
  ),
  PRECISION: choice(
    'auto',
    'precision',
    ['auto', ...PRECISIONS],
    'Numbers that the model computes in. `auto` takes int8 if engine and model allow it, else fp32; a precision named here must work.',
  ),
  TENSORFLOW_DIR: text(
    '.tensorflow',
    'folder',
    'Where `resnet-serve install-tensorflow` puts the native library and its addon. The engines cuda and tensorflow look here first. A relative path starts at the installation folder.',
  ),
  CUDA_VISIBLE_DEVICES: text(
    'all',
    'comma-separated list',
    'GPUs to use, by index or UUID, with one engine process each. `all` takes all that the driver lists; empty takes none.',
  ),
  GPU_MEMORY_LIMIT_MB: count(
    0,
    'MB',
    [0, 1_000_000],
    'Most memory that TensorFlow takes on each GPU; 0 lets it grow as needed.',
  ),
  ENGINE_BATCH_TIMEOUT_MS: count(
    30_000,
    'ms',
    [10, 3_600_000],
    'An engine process is killed and restarted if a batch takes longer; the batch is run once more.',
  ),
  ENGINE_HEARTBEAT_TIMEOUT_MS: count(
    60_000,
    'ms',
    [1000, 3_600_000],
    'An engine process that is silent for longer is killed and restarted. Must exceed the slowest batch and load.',
  ),

  MAX_BATCH_SIZE: count(
    32,
    'inputs',
    [1, 4096],
    'Most inputs in one batch. A model may have a lower bound of its own (max_batch_size in model.json).',
  ),
  BATCH_TIMEOUT_MS: count(
    0,
    'ms',
    [0, 10_000],
    'How long a free engine waits for an underfull batch to grow; 0 never waits.',
  ),
  ALLOWED_BATCH_SIZES: text(
    '',
    'comma-separated list',
    'Batches are padded up to these sizes on engines where a new size is slow (cuda); empty takes the powers of two up to MAX_BATCH_SIZE.',
  ),
  MAX_QUEUE_SIZE: count(1024, 'inputs', [1, 1_000_000], 'Inputs that may wait; one more is refused with 503.'),
  CACHE_MB: count(
    0,
    'MB',
    [0, 1_000_000],
    'Memory for answers to inputs seen before. Equal inputs at the same time are then computed once. 0 turns the cache off.',
  ),
  OVERLOAD_STATUS: choice(
    '503',
    'HTTP status',
    ['503', '429'],
    'Status of refusals for overload: a full queue, a deadline that cannot be met, or a server short of time or memory.',
  ),
  REQUEST_TIMEOUT_MS: count(
    30_000,
    'ms',
    [1, 3_600_000],
    'A request that takes longer gets 504. Clients can shorten this by header, not extend it.',
  ),

  MAX_BODY_BYTES: count(
    16 * MIB,
    'bytes',
    [1024, 2 ** 31],
    'A larger request body, or a larger file in it, is refused with 413.',
  ),
  MAX_PENDING_BYTES: count(
    256 * MIB,
    'bytes',
    [1024, 2 ** 40],
    'Total size of the request bodies held at once; more is refused as overload. At least MAX_BODY_BYTES.',
  ),
  MAX_JSON_VALUES: count(
    400_000,
    'values',
    [1000, 100_000_000],
    'JSON with more values is refused with 413; an array or object counts as ten. Parsing a thousand values blocks all other requests for about 0.2 ms.',
  ),
  MAX_INPUTS_PER_REQUEST: count(
    256,
    'inputs',
    [1, 100_000],
    'A request with more is refused with 413; at most MAX_QUEUE_SIZE.',
  ),
  MAX_IMAGE_PIXELS: count(
    50_000_000,
    'pixels',
    [1, 1_000_000_000],
    'A larger image is refused with 413 before it is decoded.',
  ),
  MAX_IMAGE_SIDE: count(
    32_768,
    'pixels',
    [1, 1_000_000],
    'A wider or higher image is refused with 413 before it is decoded.',
  ),
  DECODE_TIMEOUT_S: count(10, 's', [1, 3600], 'An image that takes longer to decode is refused with 413.'),

  MAX_EVENT_LOOP_DELAY_MS: count(
    1000,
    'ms',
    [0, 60_000],
    'Inference is refused as overload while the event loop is later than this, averaged over a second; 0 is no limit.',
  ),
  MAX_RSS_BYTES: count(
    0,
    'bytes',
    [0, 2 ** 50],
    'Inference is refused as overload while the HTTP process (without the engine processes) holds more memory; 0 is no limit.',
  ),

  MAX_CONNECTIONS: count(
    10_000,
    'connections',
    [1, 1_000_000],
    'Connections open at once, at each address; one more is closed immediately.',
  ),
  MAX_REQUESTS_PER_CONNECTION: count(
    10_000,
    'requests',
    [0, 1_000_000_000],
    'The last one is answered with `Connection: close`, so that balancers spread clients again; 0 is no limit.',
  ),
  KEEP_ALIVE_TIMEOUT_MS: count(
    72_000,
    'ms',
    [1, 3_600_000],
    'How long an idle connection stays open. Must exceed the idle timeout of the balancer in front (620000 for Google’s).',
  ),

  DRAIN_DELAY_MS: count(
    0,
    'ms',
    [0, 600_000],
    'How long requests are still served after SIGTERM while /readyz says 503, so that balancers notice.',
  ),
  SHUTDOWN_TIMEOUT_MS: count(
    10_000,
    'ms',
    [0, 600_000],
    'How long requests in flight may take to finish after DRAIN_DELAY_MS.',
  ),
} satisfies Record<string, TSchema>

/** Options for which empty is a value of its own, and not the default. */
export const EMPTY_HAS_MEANING: ReadonlySet<string> = new Set(['CUDA_VISIBLE_DEVICES'])
