import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { configurationDocs } from '../../scripts/config-docs.ts'
import { loadConfig } from '../../src/server/config.ts'
import { EMPTY_HAS_MEANING, OPTIONS } from '../../src/server/options.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROOT = new URL('../../', import.meta.url)

describe('loadConfig', () => {
  it('has a default for every option', () => {
    expect(loadConfig({})).toMatchObject({
      HOST: '127.0.0.1',
      PORT: 8080,
      ENGINE: 'auto',
      BATCH_TIMEOUT_MS: 0,
      API_KEYS: [],
      GRPC_PORT: undefined,
    })
  })

  it.each([
    ['PORT', '80a'],
    ['PORT', '70000'],
    ['GRPC_PORT', 'on'],
    ['GRPC_PORT', '70000'],
    ['ENGINE', 'gpu'],
    ['LOG_LEVEL', 'loud'],
    ['MAX_BATCH_SIZE', '0'],
    ['MAX_BATCH_SIZE', '1.5'],
    ['REQUEST_TIMEOUT_MS', '-1'],
    ['ALLOWED_BATCH_SIZES', '1,x'],
    ['ALLOWED_BATCH_SIZES', '1,64'],
    ['MAX_INPUTS_PER_REQUEST', '2000'],
    ['MAX_PENDING_BYTES', '2048'],
    ['OVERLOAD_STATUS', '500'],
    ['METRICS_PUBLIC', 'no'],
    ['METRICS_PUBLIC', 'false'],
    ['RATE_LIMIT', '-1'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '1'],
    ['TRUST_PROXY', '10.0.0.0/0'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['CORS_ORIGINS', 'app.example.com'],
    ['CORS_ORIGINS', 'https://app.example.com/'],
    ['CORS_ORIGINS', 'null'],
    ['DEFAULT_VERSIONS', 'digits'],
    ['DEFAULT_VERSIONS', 'digits:1,digits:2'],
    ['STRICT_STARTUP', 'yes'],
    ['OTEL_TRACES_EXPORTER', 'zipkin'],
  ])('names the option in its refusal: %s=%s', (option, value) => {
    expect(() => loadConfig({ [option]: value })).toThrow(new RegExp(`^${option} is "?${value}`))
  })

  it.each<[boolean, NodeJS.ProcessEnv]>([
    [false, {}],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    [false, { OTEL_SERVICE_NAME: 'x', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    [true, { OTEL_TRACES_EXPORTER: 'otlp' }],
    [true, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
    [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_TRACES_EXPORTER: 'none' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_SDK_DISABLED: 'true' }],
  ])('has traces: %s, for %j', (wanted, env) => {
    expect(loadConfig(env).TRACES).toBe(wanted)
  })

  it('refuses traces by a protocol that it does not speak, of which the one for traces counts', () => {
    const env = { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }
    expect(() => loadConfig(env)).toThrow('OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": must be http/protobuf')
    expect(loadConfig({ ...env, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' }).TRACES).toBe(true)
  })

  it('puts what the .env file says of OpenTelemetry where its SDK reads it, unless the environment says something', () => {
    const lines =
      'OTEL_EXPORTER_OTLP_ENDPOINT=http://file:4318\nOTEL_SERVICE_NAME=file\nOTEL_BSP_SCHEDULE_DELAY=7\nHOST=0.0.0.0\n'
    vi.spyOn(process, 'cwd').mockReturnValue(temporaryFolder({ '.env': lines }))
    for (const [name, value] of [
      ['OTEL_EXPORTER_OTLP_ENDPOINT', ''],
      ['OTEL_SERVICE_NAME', 'environment'],
      ['OTEL_BSP_SCHEDULE_DELAY', undefined],
      ['HOST', undefined],
    ] as const) {
      vi.stubEnv(name, value)
    }
    onTestFinished(() => {
      vi.restoreAllMocks()
      vi.unstubAllEnvs()
    })
    expect(loadConfig().TRACES).toBe(false)
    const { OTEL_SERVICE_NAME, OTEL_BSP_SCHEDULE_DELAY, HOST } = process.env
    expect([OTEL_SERVICE_NAME, OTEL_BSP_SCHEDULE_DELAY, HOST]).toEqual(['environment', '7', undefined])
  })

  const options = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]
  it.each(options.filter((name) => !EMPTY_HAS_MEANING.has(name)))('takes an empty %s for its default', (option) => {
    expect(loadConfig({ [option]: '' })[option]).toEqual(loadConfig({})[option])
  })

  it('lets an empty variable undo a line of the .env file, and takes an empty line for the default', () => {
    const folder = temporaryFolder({ '.env': 'HOST=0.0.0.0\nPORT=\nMAX_BATCH_SIZE=4\n' })
    vi.spyOn(process, 'cwd').mockReturnValue(folder)
    vi.stubEnv('HOST', '')
    onTestFinished(() => {
      vi.restoreAllMocks()
      vi.unstubAllEnvs()
    })
    expect(loadConfig()).toMatchObject({ HOST: '127.0.0.1', PORT: 8080, MAX_BATCH_SIZE: 4 })
  })

  it('says which entry of API_KEYS is wrong, and never shows one', () => {
    const load = (): unknown => loadConfig({ API_KEYS: 'first,web:hunter2:x' })
    expect(load).toThrow(/^API_KEYS: entry 2 of 2 must be key, name:key or name:sha256:<64 hex digits>/)
    expect(load).not.toThrow(/hunter2|first/)
  })

  it('takes lists of proxies and origins as a deployment has them', () => {
    const config = loadConfig({
      TRUST_PROXY: 'loopback, 10.0.0.0/8,::1,fd00::/8',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:3000',
    })
    expect(config.TRUST_PROXY).toEqual(['loopback', '10.0.0.0/8', '::1', 'fd00::/8'])
    expect(config.CORS_ORIGINS).toEqual(['https://app.example.com', 'http://localhost:3000'])
    expect(loadConfig({ CORS_ORIGINS: '*' }).CORS_ORIGINS).toEqual(['*'])
  })

  it('can ask for a key at /metrics', () => {
    expect(loadConfig({}).METRICS_PUBLIC).toBe(true)
    expect(loadConfig({ METRICS_PUBLIC: 'false', API_KEYS: 'key' }).METRICS_PUBLIC).toBe(false)
  })

  it('passes over empty keys, and never takes a list of them for no key at all', () => {
    expect(loadConfig({ API_KEYS: 'a,, b,' }).API_KEYS.map(({ name }) => name)).toEqual(['key-1', 'key-2'])
    for (const value of [',', ' ', ' , ,']) {
      expect(() => loadConfig({ API_KEYS: value })).toThrow(/^API_KEYS is ".*": has no key in it/)
    }
  })

  it('waits for a sign of life longer than for a batch, during which an engine process cannot give one', () => {
    const { ENGINE_HEARTBEAT_TIMEOUT_MS, ENGINE_BATCH_TIMEOUT_MS } = loadConfig({})
    expect(ENGINE_HEARTBEAT_TIMEOUT_MS).toBeGreaterThan(ENGINE_BATCH_TIMEOUT_MS)
  })

  it('pads to the powers of two and the largest batch unless told otherwise', () => {
    expect(loadConfig({ MAX_BATCH_SIZE: '12' }).ALLOWED_BATCH_SIZES).toEqual([1, 2, 4, 8, 12])
    expect(loadConfig({ ALLOWED_BATCH_SIZES: '32, 4' }).ALLOWED_BATCH_SIZES).toEqual([4, 32])
  })

  it('uses all GPUs that the driver lists unless told which, and none where the list is empty', () => {
    expect(loadConfig({}).CUDA_VISIBLE_DEVICES).toBeUndefined()
    expect(loadConfig({ CUDA_VISIBLE_DEVICES: '1, GPU-a' }).CUDA_VISIBLE_DEVICES).toEqual(['1', 'GPU-a'])
    expect(loadConfig({ CUDA_VISIBLE_DEVICES: '' }).CUDA_VISIBLE_DEVICES).toEqual([])
  })

  it('takes a relative model repository from where the server is installed', () => {
    expect(loadConfig({}).MODEL_REPOSITORY).toMatch(/^\/.*\/models$/)
    expect(loadConfig({ MODEL_REPOSITORY: '/srv/models' }).MODEL_REPOSITORY).toBe('/srv/models')
  })

  it('passes over variables that are none of its own', () => {
    expect(loadConfig({ PATH: '/bin', npm_config_x: 'y' }).PORT).toBe(8080)
  })
})

describe('the documentation of the options', () => {
  it('is the schema’s: run `npm run docs:config` after changing one', () => {
    expect(readFileSync(new URL('docs/configuration.md', ROOT), 'utf8')).toBe(configurationDocs())
  })

  it('gives each option a unit, a default and an effect', () => {
    for (const [name, option] of Object.entries(OPTIONS)) {
      expect(option, name).toMatchObject({ unit: expect.stringMatching(/./), effect: expect.stringMatching(/\.$/) })
      expect(option).toHaveProperty('default')
    }
  })

  it('gives an example file that loads, with options that exist', () => {
    const lines = readFileSync(new URL('.env.example', ROOT), 'utf8').split('\n')
    const entries = lines.flatMap((line) =>
      [...line.matchAll(/^(?:# )?([A-Z_]+)=(.*)$/g)].map((match) => [match[1], match[2]]),
    )
    expect(entries.length).toBeGreaterThan(5)
    for (const [name] of entries) expect(Object.keys(OPTIONS)).toContain(name)
    expect(() => loadConfig(Object.fromEntries(entries))).not.toThrow()
  })
})
