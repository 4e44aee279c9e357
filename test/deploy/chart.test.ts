import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { Metrics } from '../../src/server/metrics.ts'
import { CHART, output, ROOT, run, unknownOptions } from './tools.ts'

const VALUES = join(import.meta.dirname, 'values')
const SCHEMAS = process.env.SCHEMAS ?? ''
const OLDEST = '1.27.0'
const NEWEST = '1.37.0'

function template(args: string[]): string[] {
  return ['template', 'demo', CHART, '--namespace', 'serving', '--kube-version', OLDEST, ...args]
}

const renders = new Map<string, string>()

/** The chart with one of the files of values. */
function render(values: string): string {
  const rendered = renders.get(values) ?? output('helm', template(['--values', join(VALUES, values)]))
  renders.set(values, rendered)
  return rendered
}

// biome-ignore lint/suspicious/noExplicitAny: what Kubernetes' and the operators' schemas say, which kubeconform checks.
type Resource = any

function resources(values: string): Resource[] {
  return parseAllDocuments(render(values)).map((document) => document.toJS())
}

function resource(values: string, kind: string): Resource {
  return resources(values).find((one) => one.kind === kind)
}

/** What kubeconform finds wrong, for one version of Kubernetes and the operators' own resources. */
function invalid(kubernetes: string, manifests: string): string[] {
  const folders = [kubernetes, 'custom'].flatMap((folder) => [
    '-schema-location',
    `${SCHEMAS}/${folder}/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
  ])
  const { stdout } = run('kubeconform', ['-strict', '-output', 'json', '-verbose', ...folders], manifests)
  const found = (JSON.parse(stdout) as { resources: { kind: string; status: string; msg: string }[] }).resources
  if (found.length === 0) throw new Error('kubeconform has read nothing')
  return found.filter(({ status }) => status !== 'statusValid').map(({ kind, msg }) => `${kind}: ${msg}`)
}

describe('the Helm chart', () => {
  test("takes the image of this version, as KServe's runtime does", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const { spec } = resource('default.yaml', 'Deployment').spec.template
    expect(spec.containers[0].image).toBe(`resnet-serve:${version}`)
    expect(readFileSync(join(ROOT, 'deploy/kserve/serving-runtime.yaml'), 'utf8')).toContain(
      `image: resnet-serve:${version}\n`,
    )
  })

  test('passes helm lint --strict', () => {
    output('helm', ['lint', '--strict', CHART])
  })

  test.each(readdirSync(VALUES))('renders %s as before (-u writes what it renders now)', async (values) => {
    // The alert rules have tests of their own.
    const settings = ['--values', join(VALUES, values), '--set', 'metrics.prometheusRule.enabled=false']
    await expect(output('helm', template(settings))).toMatchFileSnapshot(join(import.meta.dirname, 'golden', values))
  })

  test.each(readdirSync(VALUES).flatMap((values) => [OLDEST, NEWEST].map((version) => ({ values, version }))))(
    'renders $values as Kubernetes $version and the operators take it',
    ({ values, version }) => {
      expect(invalid(version, render(values))).toEqual([])
    },
  )

  test('is packed with the alert rules that Prometheus has', () => {
    const folder = mkdtempSync(join(tmpdir(), 'chart-'))
    try {
      output('helm', ['package', CHART, '--destination', folder])
      const [archive] = readdirSync(folder)
      const packed = output('tar', ['-xzOf', join(folder, archive as string), 'resnet-serve/alerts.yml'])
      expect(packed).toBe(readFileSync(join(ROOT, 'deploy/monitoring/alerts.yml'), 'utf8'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test.each(readdirSync(VALUES))('sets only what the server reads, each once: %s', (values) => {
    const [server] = resource(values, 'Deployment').spec.template.spec.containers
    const names = server.env.map(({ name }: { name: string }) => name)
    // OTEL_* are OpenTelemetry's own.
    expect(unknownOptions(names).filter((name) => !name.startsWith('OTEL_'))).toEqual([])
    expect(names.length).toBe(new Set(names).size)
  })

  test.each(readdirSync(VALUES))('gives a pod longer to end than the server takes, with no preStop: %s', (values) => {
    const pod = resource(values, 'Deployment').spec.template.spec
    const [server] = pod.containers
    const env = Object.fromEntries(server.env.map(({ name, value }: Record<string, string>) => [name, value]))
    const serverMs = Number(env.DRAIN_DELAY_MS) + Number(env.SHUTDOWN_TIMEOUT_MS)
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(serverMs)
    expect(server.lifecycle).toBeUndefined()
  })

  test.each(readdirSync(VALUES))('leaves no container a right that it does not need: %s', (values) => {
    const pod = resource(values, 'Deployment').spec.template.spec
    expect(pod.automountServiceAccountToken).toBe(false)
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    for (const { securityContext } of [...pod.containers, ...(pod.initContainers ?? [])]) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    }
  })

  test('leaves the number of replicas to the autoscaler, where there is one', () => {
    expect(resource('default.yaml', 'Deployment').spec.replicas).toBe(3)
    for (const [values, kind] of [
      ['gpu.yaml', 'ScaledObject'],
      ['gateway.yaml', 'HorizontalPodAutoscaler'],
    ] as const) {
      expect(resource(values, 'Deployment').spec).not.toHaveProperty('replicas')
      const kinds = resources(values).map((one) => one.kind)
      expect(kinds.filter((one) => /Scale|Autoscaler/.test(one))).toEqual([kind])
    }
  })

  test('scales by metrics that the server has', async () => {
    const { query } = resource('gpu.yaml', 'ScaledObject').spec.triggers[0].metadata
    const { text } = await new Metrics().expose()
    const named: string[] = query.match(/\bresnet_\w+/g)
    expect(named).toHaveLength(2)
    for (const name of named) expect(text).toContain(`\n${name} `)
  })

  test('has Prometheus read each pod once, under the name that the rules know', () => {
    const { selector, jobLabel } = resource('gpu.yaml', 'ServiceMonitor').spec
    const read = resources('gpu.yaml').filter(
      ({ kind, metadata }) =>
        kind === 'Service' &&
        Object.entries(selector.matchLabels).every(([name, value]) => metadata.labels[name] === value),
    )
    expect(read.map(({ metadata }) => [metadata.name, metadata.labels[jobLabel]])).toEqual([
      ['demo-resnet-serve', 'resnet-serve'],
    ])
  })

  test.each([
    ['an option that is misspelt', ['config.MAX_BATCHSIZE=8'], 'MAX_BATCHSIZE'],
    ['an option out of bounds', ['config.MAX_BATCH_SIZE=0'], 'minimum'],
    ['an option that the chart sets itself', ['config.PORT=9000'], 'PORT'],
    ['a key in clear', ['config.API_KEYS=a'], 'API_KEYS'],
    ['a value that is misspelt', ['replica=3'], 'replica'],
    ['a probe of the wrong type', ['startupTimeoutSeconds=soon'], 'startupTimeoutSeconds'],
    ['two ways of scaling', ['autoscaling.kind=hpa+keda'], 'autoscaling/kind'],
    [
      'fewer replicas at the most than at the least',
      ['autoscaling.kind=hpa', 'autoscaling.maxReplicas=1'],
      'maxReplicas',
    ],
    ['two sources of models', ['models.image=a', 'models.existingClaim=b'], 'exclude each other'],
    ['a route from nowhere', ['httpRoute.enabled=true'], 'parentRefs'],
    ['gRPC on the port of HTTP', ['grpc.port=8080'], 'grpc/port'],
    [
      'metrics behind a key that Prometheus has not',
      ['metrics.serviceMonitor.enabled=true', 'config.METRICS_PUBLIC=false'],
      'METRICS_PUBLIC',
    ],
  ])('refuses %s', (_, settings, said) => {
    const { code, stderr } = run('helm', template(settings.flatMap((setting) => ['--set', setting])))
    expect(code).not.toBe(0)
    expect(stderr).toContain(said)
  })

  test('says after an install how to reach it', () => {
    // Helm shows notes only where it has a cluster; another template may read them.
    const copy = mkdtempSync(join(tmpdir(), 'chart-'))
    try {
      cpSync(CHART, copy, { recursive: true, dereference: true })
      const file = 'templates/notes.yaml'
      writeFileSync(join(copy, file), 'notes: {{ include (print .Template.BasePath "/NOTES.txt") . | quote }}')
      const rendered = output('helm', [
        'template',
        'demo',
        copy,
        '--namespace',
        'serving',
        '--kube-version',
        OLDEST,
        '--show-only',
        file,
      ])
      const { notes } = parse(rendered)
      expect(notes).toContain('http://demo-resnet-serve.serving:80 ')
      expect(notes).toContain('No API keys are set')
    } finally {
      rmSync(copy, { recursive: true })
    }
  })
})

describe('the job that embeds a folder', () => {
  const text = readFileSync(join(ROOT, 'deploy/kubernetes/embed-job.yaml'), 'utf8')

  test('is as Kubernetes takes it', () => {
    expect(invalid(NEWEST, text)).toEqual([])
  })

  test('runs the image of this version, in as many shards as it has pods', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const { spec }: Resource = parse(text)
    const [container] = spec.template.spec.containers
    expect(container.image).toBe(`resnet-serve:${version}`)
    expect(container.env).toEqual([{ name: 'SHARDS', value: String(spec.completions) }])
  })
})

describe("KServe's resources", () => {
  const manifests = ['serving-runtime.yaml', 'inference-service.yaml']
    .map((file) => readFileSync(join(ROOT, 'deploy/kserve', file), 'utf8'))
    .join('---\n')
  const [runtime, service] = parseAllDocuments(manifests).map((document): Resource => document.toJS())
  const [container] = runtime.spec.containers

  test('are as KServe takes them', () => {
    expect(invalid(NEWEST, manifests)).toEqual([])
  })

  test('set only what the server reads, and where KServe puts the model', () => {
    const env = Object.fromEntries(container.env.map(({ name, value }: Record<string, string>) => [name, value]))
    expect(unknownOptions(Object.keys(env))).toEqual([])
    expect(env.MODEL_REPOSITORY).toBe('/mnt/models')
    expect(env.PORT).toBe(String(container.ports[0].containerPort))
  })

  test('belong together', () => {
    const { model } = service.spec.predictor
    expect(model.runtime).toBe(runtime.metadata.name)
    expect(runtime.spec.supportedModelFormats[0]).toMatchObject(model.modelFormat)
    expect(runtime.spec.protocolVersions).toContain(model.protocolVersion)
  })
})

test('what is wrong is found: a field that no schema has, in a resource of Kubernetes and in one of an operator', () => {
  const wrong = render('gpu.yaml')
    .replace('maxUnavailable: 1\n', 'maxUnavailble: 1\n')
    .replace('pollingInterval', 'polling')
  const found = invalid(NEWEST, wrong)
  expect(found.some((line) => line.startsWith('PodDisruptionBudget') || line.startsWith('Deployment'))).toBe(true)
  expect(found.some((line) => line.startsWith('ScaledObject'))).toBe(true)
})
