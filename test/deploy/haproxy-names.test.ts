import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../bench/server-process.ts'
import { NameServer } from './name-server.ts'
import { ROOT } from './tools.ts'

// Replicas' addresses change, as they do when containers are made anew: the shipped file, with the name server, the port that it listens
// on and the replicas' port changed, and nothing else.
const SHIPPED = readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8')
const FIRST_SERVER = /^ *server replica1/m

let names: NameServer
let folder: string
let port: number
let replicaPort: number
let haproxy: ChildProcess
let probes = 0
const replicas = new Map<string, Server>()
const notReady = new Set<string>()

beforeEach(async () => {
  names = new NameServer()
  folder = mkdtempSync(join(tmpdir(), 'haproxy-'))
  port = await freePort()
  replicaPort = await freePort()
})

afterEach(async () => {
  haproxy.kill('SIGKILL')
  await once(haproxy, 'exit')
  names.close()
  for (const ip of [...replicas.keys()]) stop(ip)
  notReady.clear()
  rmSync(folder, { recursive: true })
})

/** A replica that answers with its address, and with who asked. */
async function start(ip: string): Promise<void> {
  const server = createServer((request, response) => {
    const probe = request.url === '/readyz'
    if (probe) probes++
    response.statusCode = probe && notReady.has(ip) ? 503 : 200
    response.end(`${ip} ${request.headers['x-forwarded-for']}`)
  }).listen(replicaPort, ip)
  await once(server, 'listening')
  replicas.set(ip, server)
}

function stop(ip: string): void {
  replicas.get(ip)?.close()
  replicas.get(ip)?.closeAllConnections()
  replicas.delete(ip)
}

async function balance(config: string): Promise<void> {
  const nameServer = await names.listen()
  const put = (text: string, shipped: string, here: string) => {
    expect(text).toContain(shipped)
    return text.replaceAll(shipped, here)
  }
  let text = put(config, 'parse-resolv-conf', `nameserver here 127.0.0.1:${nameServer}`)
  text = put(text, 'bind :80', `bind 127.0.0.1:${port}`)
  text = put(text, ':8080', `:${replicaPort}`)
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, text)
  haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
}

async function ask(): Promise<{ status: number; replica: string; asker: string }> {
  const headers = { 'x-forwarded-for': '192.0.2.1', connection: 'close' }
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers }).catch(() => undefined)
  const [replica = '', asker = ''] = (await response?.text())?.split(' ') ?? []
  return { status: response?.status ?? 0, replica, asker }
}

/** Asks until each of these has answered. */
async function untilAsked(...ips: string[]): Promise<void> {
  const missing = new Set(ips)
  for (const end = Date.now() + 30_000; missing.size > 0; await sleep(20)) {
    if (Date.now() > end) throw new Error(`not asked: ${[...missing]}`)
    missing.delete((await ask()).replica)
  }
}

test('a replica that is made anew is found at its other address, and one that starts late is found too', async () => {
  await start('127.0.0.11')
  names.addresses.set('replica1', ['127.0.0.11'])
  await balance(SHIPPED)
  await untilAsked('127.0.0.11')

  stop('127.0.0.11')
  await start('127.0.0.12')
  names.addresses.set('replica1', ['127.0.0.12'])
  await untilAsked('127.0.0.12')

  await start('127.0.0.13')
  names.addresses.set('replica2', ['127.0.0.13'])
  await untilAsked('127.0.0.12', '127.0.0.13')
})

test('replicas are asked although none is ready, and are told who asks', async () => {
  await start('127.0.0.11')
  notReady.add('127.0.0.11')
  names.addresses.set('replica3', ['127.0.0.11'])
  await balance(SHIPPED)
  await untilAsked('127.0.0.11')
  // Two probes take replica3 out, and its backup, at the same address, is all that is left.
  for (probes = 0; probes < 10; await sleep(20)) {
    expect(await ask()).toEqual({ status: 200, replica: '127.0.0.11', asker: '127.0.0.1' })
  }
})

test("on Kubernetes, the headless service's pods are all asked, those that come later too", async () => {
  const docs = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8')
  const [, servers = ''] = /```haproxy\n([\s\S]*?)```/.exec(docs) ?? []
  for (const ip of ['127.0.0.11', '127.0.0.12', '127.0.0.13']) await start(ip)
  names.addresses.set('digits-resnet-serve-headless', ['127.0.0.11', '127.0.0.12'])
  await balance(SHIPPED.slice(0, SHIPPED.search(FIRST_SERVER)) + servers)
  await untilAsked('127.0.0.11', '127.0.0.12')

  stop('127.0.0.11')
  names.addresses.set('digits-resnet-serve-headless', ['127.0.0.13', '127.0.0.12'])
  await untilAsked('127.0.0.12', '127.0.0.13')
})
