import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { childEnvironment, toolEnvironment } from '../../src/server/config.ts'
import { enginesOf, startReady } from '../helpers/server-process.ts'

afterEach(() => vi.unstubAllEnvs())

/** What native libraries read. */
const SETTINGS = {
  LD_LIBRARY_PATH: '/opt/lib',
  TF_ENABLE_ONEDNN_OPTS: '0',
  OMP_WAIT_POLICY: 'PASSIVE',
  CUDA_CACHE_PATH: '/cache',
  LC_ALL: 'C.UTF-8',
}

const SECRETS = {
  API_KEYS: 'sesame',
  AWS_SECRET_ACCESS_KEY: 'x',
  NVIDIA_API_KEY: 'x',
  NODE_AUTH_TOKEN: 'x',
  LD_SDK_KEY: 'x',
  TF_VAR_database: 'x',
  DATABASE_URL: 'x',
}

function stub(variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
}

describe('childEnvironment', () => {
  it('passes on what native libraries read, and no secrets, not even those that begin alike', () => {
    stub({ ...SETTINGS, ...SECRETS })
    const env = childEnvironment()
    expect(env).toMatchObject({ ...SETTINGS, PATH: process.env.PATH })
    expect(Object.keys(env).filter((name) => name in SECRETS)).toEqual([])
  })

  it('has the given variables on top', () => {
    stub({ TF_CPP_MIN_LOG_LEVEL: '2' })
    expect(childEnvironment({ TF_CPP_MIN_LOG_LEVEL: '0', OTHER: 'x' })).toMatchObject({
      TF_CPP_MIN_LOG_LEVEL: '0',
      OTHER: 'x',
    })
  })

  it.skipIf(process.platform !== 'linux')('is all that an engine process of the real server gets', async () => {
    const { child } = await startReady({ env: { ...SETTINGS, ...SECRETS } })
    const [engine] = await enginesOf(child)
    const environment = readFileSync(`/proc/${engine}/environ`, 'utf8').split('\0')
    expect(environment).toEqual(
      expect.arrayContaining(Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`)),
    )
    expect(environment.filter((line) => (line.split('=', 1)[0] ?? '') in SECRETS)).toEqual([])
  })
})

describe('toolEnvironment', () => {
  it('lacks the server’s secret, and has what npm and pip may need', () => {
    stub({ API_KEYS: 'sesame', HTTPS_PROXY: 'http://proxy', NPM_TOKEN: 'x' })
    expect(toolEnvironment({ TMPDIR: '/t' })).toMatchObject({
      HTTPS_PROXY: 'http://proxy',
      NPM_TOKEN: 'x',
      TMPDIR: '/t',
    })
    expect(toolEnvironment()).not.toHaveProperty('API_KEYS')
  })
})
