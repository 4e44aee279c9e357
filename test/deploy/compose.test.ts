import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BALANCER_PORT, defaultOf, output, REPLICA_PORT, ROOT, unknownOptions } from './tools.ts'

interface Service {
  image?: string
  build?: { context: string; dockerfile?: string; dockerfile_inline?: string; target?: string }
  environment?: Record<string, string>
  ports?: { target: number; published: string; host_ip?: string }[]
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[]
  networks?: Record<string, { aliases?: string[] } | null>
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test?: string[]; start_period?: string; start_interval?: string }
  stop_grace_period?: string
  profiles?: string[]
  user?: string
  read_only?: boolean
  tmpfs?: string[]
  cap_drop?: string[]
  security_opt?: string[]
  cpus?: number
  mem_limit?: string
  deploy?: { resources: { reservations: { devices: { device_ids: string[] }[] } } }
}

const FILES = readdirSync(ROOT).filter((name) => /^compose\..*yaml$/.test(name))
const OVERLAYS = FILES.filter((name) => name !== 'compose.yaml')
const REPLICAS = ['replica1', 'replica2', 'replica3']

/** What Compose makes of these files on top of compose.yaml, by Compose's own library. */
function merged(overlays: string[], environment: string[] = []): Record<string, Service> {
  const command = [
    '-u',
    'COMPOSE_TEST_ENV',
    `COMPOSE_TEST_ENV=${environment.join('\n')}`,
    'compose-config',
    'compose.yaml',
    ...overlays,
  ]
  return JSON.parse(output('env', command)).services
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

const COMBINATIONS = [[], ...OVERLAYS.map((overlay) => [overlay]), OVERLAYS]

describe.each(COMBINATIONS.map((overlays) => ({ name: ['compose.yaml', ...overlays].join(' + '), overlays })))(
  '$name',
  ({ overlays }) => {
    const services = merged(overlays)
    const all = Object.entries(services)

    test('mounts only what exists, and nothing of the host to be written', () => {
      const bound = all.flatMap(([, { volumes = [] }]) => volumes.filter(({ type }) => type === 'bind'))
      expect(bound.filter(({ source }) => !existsSync(source)).map(({ source }) => source)).toEqual([])
      expect(bound.filter(({ read_only }) => !read_only)).toEqual([])
    })

    test('builds from what exists', () => {
      for (const [, { build }] of all) {
        if (build === undefined) continue
        const text =
          build.dockerfile_inline ?? readFileSync(join(build.context, build.dockerfile ?? 'Dockerfile'), 'utf8')
        if (build.target) expect(text).toMatch(new RegExp(`^FROM .* AS ${build.target}$`, 'm'))
        if (!build.dockerfile_inline) continue
        const copied = [...text.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '))
        expect(copied.length).toBeGreaterThan(0)
        const there = readdirSync(build.context)
        for (const source of copied) {
          const pattern = new RegExp(`^${source.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
          expect(
            there.filter((name) => pattern.test(name)),
            source,
          ).not.toEqual([])
        }
      }
    })

    test('names images as every registry does, each of one version', () => {
      for (const [, { image }] of all)
        if (image) expect(image).toMatch(/^([a-z][a-z0-9-]*\/)?[a-z][a-z0-9-]*(:[a-z0-9][\w.-]*)?$/)
      const others = all.flatMap(([, { image, build }]) => (image && !build ? [image] : []))
      for (const image of others) expect(image).toMatch(/:\D*\d/)
    })

    test('gives replicas only options that the server reads, and the port that balancers know', () => {
      for (const replica of REPLICAS) {
        const environment = services[replica]?.environment ?? {}
        expect(unknownOptions(Object.keys(environment))).toEqual([])
        expect(environment).toMatchObject({ HOST: '0.0.0.0', PORT: String(REPLICA_PORT) })
      }
    })

    test('puts a balancer in front that listens where its port is published, and asks all replicas', () => {
      const { volumes = [], ports = [], depends_on = {} } = services.balancer as Service
      const config = readFileSync((volumes[0] as { source: string }).source, 'utf8')
      expect(volumes).toHaveLength(1)
      expect(ports.map(({ target }) => target)).toEqual([BALANCER_PORT])
      expect(config).toMatch(new RegExp(`^ *(bind :|listen )${BALANCER_PORT}\\b`, 'm'))
      const asked = [...config.matchAll(/^ *server .*?(\w+):(\d+)/gm)].map(([, name, port]) => `${name}:${port}`)
      expect([...new Set(asked)]).toEqual(REPLICAS.map((replica) => `${replica}:${REPLICA_PORT}`))
      expect(Object.keys(depends_on)).toEqual(REPLICAS)
    })

    test('lets each service do and have no more than it needs', () => {
      for (const [name, service] of all) {
        expect(service, name).toMatchObject({
          read_only: true,
          cap_drop: ['ALL'],
          security_opt: ['no-new-privileges:true'],
          user: expect.stringMatching(/^(?!root$|0\b)./),
          cpus: expect.any(Number),
          mem_limit: expect.any(String),
        })
      }
    })

    test('knows when each service is healthy', () => {
      for (const [name, { healthcheck, profiles }] of all) {
        // A replica's check is the image's, and a command that is run ends by itself.
        if (!REPLICAS.includes(name) && !profiles) expect(healthcheck?.test, name).toBeDefined()
        // Docker takes no start_interval alone.
        if (healthcheck?.start_interval) expect(healthcheck.start_period, name).toBeDefined()
      }
    })

    test('waits for a replica to end by itself, and for the balancer to finish what it has', () => {
      const drain = Number(/DRAIN_DELAY_MS=(\d+)/.exec(read('Dockerfile'))?.[1])
      const needed = (drain + defaultOf('SHUTDOWN_TIMEOUT_MS')) / 1000
      for (const replica of REPLICAS) expect(seconds(services[replica]?.stop_grace_period)).toBeGreaterThan(needed)
      expect(seconds(services.balancer?.stop_grace_period)).toBeGreaterThan(defaultOf('REQUEST_TIMEOUT_MS') / 1000)
    })
  },
)

function seconds(duration = ''): number {
  const [, minutes = '0', rest = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? []
  return Number(minutes) * 60 + Number(rest)
}

test('nginx has replicas that open their port only once they are ready', () => {
  const services = merged(['compose.nginx.yaml'])
  for (const replica of REPLICAS) expect(services[replica]?.environment?.LISTEN_WHEN).toBe('ready')
  expect(services.balancer?.image).toMatch(/^nginx:/)
  expect(services.balancer?.depends_on?.replica1?.condition).toBe('service_healthy')
})

test('each replica has a GPU of its own, where they are named', () => {
  const ids = (services: Record<string, Service>) =>
    REPLICAS.map((replica) => services[replica]?.deploy?.resources.reservations.devices[0]?.device_ids)
  expect(ids(merged(['compose.gpu.yaml']))).toEqual([['0'], ['0'], ['0']])
  expect(ids(merged(['compose.gpu.yaml'], ['GPU_2=1', 'GPU_3=GPU-5a']))).toEqual([['0'], ['1'], ['GPU-5a']])
  // TensorFlow writes a file, on a root that cannot be written.
  for (const replica of REPLICAS) expect(merged(['compose.gpu.yaml'])[replica]?.tmpfs).toContain('/tmp')
})

test('the port is the one that LISTEN names', () => {
  expect(merged([], ['LISTEN=127.0.0.1:9000']).balancer?.ports).toMatchObject([
    { host_ip: '127.0.0.1', published: '9000' },
  ])
})

test('Prometheus finds every replica by the name that they share', () => {
  const services = merged(['compose.monitoring.yaml'])
  const [, name] = /names: \[(.*)\]/.exec(read('deploy/monitoring/prometheus.yml')) ?? []
  for (const replica of REPLICAS) expect(services[replica]?.networks?.default?.aliases).toContain(name)
  expect(read('deploy/monitoring/prometheus.yml')).toMatch(new RegExp(`port: ${REPLICA_PORT}\\b`))
})

test('only the balancer is published beyond this machine', () => {
  for (const [name, { ports = [] }] of Object.entries(merged(OVERLAYS))) {
    if (name !== 'balancer') for (const { host_ip } of ports) expect(host_ip, name).toBe('127.0.0.1')
  }
})

test('docs/docker.md has every variable of the compose files, and no other', () => {
  const used = FILES.flatMap((file) => [...read(file).matchAll(/\$\{(\w+)/g)].map(([, name]) => name))
  const documented = [...read('docs/docker.md').matchAll(/^\| (`[A-Z].*?) \|/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  expect(documented.sort()).toEqual([...new Set(used)].sort())
})
