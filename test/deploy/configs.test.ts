import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { output, ROOT } from './tools.ts'

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Checks a text as a file in a folder of its own. */
function checked(text: string, check: (file: string, folder: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), 'config-'))
  try {
    const file = join(folder, 'config')
    writeFileSync(file, text)
    return check(file, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const haproxy = (text: string) => checked(text, (file) => output('haproxy', ['-c', '-f', file]))

describe('every configuration is taken by the program that it is for', () => {
  test('haproxy.cfg', () => {
    haproxy(read('deploy/haproxy/haproxy.cfg'))
  })

  test('nginx.conf', () => {
    // nginx ends at a name that it cannot find; nothing else is changed.
    const text = read('deploy/nginx/nginx.conf').replace(/replica(\d):8080/g, '127.0.0.$1:8080')
    checked(text, (file, folder) => output('nginx', ['-t', '-p', folder, '-c', file, '-g', `pid ${folder}/pid;`]))
  })

  test("Grafana's provisioning", () => {
    const { datasources } = parse(read('deploy/monitoring/grafana/provisioning/datasources/prometheus.yaml'))
    expect(datasources).toMatchObject([{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }])
    const { providers } = parse(read('deploy/monitoring/grafana/provisioning/dashboards/resnet-serve.yaml'))
    const mounted = `./deploy/monitoring/grafana/dashboard.json:${providers[0].options.path}/dashboard.json:ro`
    expect(read('compose.monitoring.yaml')).toContain(mounted)
  })
})

test('every file under deploy/ has a check', () => {
  const checked = [
    // compose.test.ts and this file.
    /^haproxy\/haproxy\.cfg$/,
    /^nginx\/nginx\.conf$/,
    /^monitoring\/grafana\/provisioning\/(datasources\/prometheus|dashboards\/resnet-serve)\.yaml$/,
    // chart.test.ts.
    /^kubernetes\/embed-job\.yaml$/,
    /^kserve\/(serving-runtime|inference-service)\.yaml$/,
    /^helm\/resnet-serve\/(Chart\.yaml|values\.yaml|values\.schema\.json|alerts\.yml|templates\/[\w.]+)$/,
    // promtool, and the dashboard's own test.
    /^monitoring\/(prometheus|alerts|alerts\.test)\.yml$/,
    /^monitoring\/(dashboard\.ts|grafana\/dashboard\.json)$/,
  ]
  const listed = output('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'deploy']).trim().split('\n')
  const files = listed.map((file) => file.slice('deploy/'.length))
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !checked.some((pattern) => pattern.test(file)))).toEqual([])
})
