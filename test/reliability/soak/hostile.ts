import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Load, percentileMs, tally } from '../load.ts'
import { ATTACKS } from './attack.ts'
import { TENSORS, tensors } from './inputs.ts'
import { slowestHealth } from './overload.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

const ATTACK = fileURLToPath(new URL('./attack.ts', import.meta.url))

/** Each attack on a server of its own, with default settings, while others ask for what they need. */
export async function hostile(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [name, make] of Object.entries(ATTACKS)) {
    const { says, maxGrowth } = make()
    console.log(`  ${name}: ${says}`)
    const server = await SoakServer.start('built')
    const others = new Load({
      url: `${server.url}/embed?include=logits`,
      contentType: TENSORS,
      body: () => tensors(),
    })
    await others.rate(10, 1000)
    const before = server.rssMiB
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, server.rssMiB)
    }, 100)
    const attacker = fork(ATTACK, [name, new URL(server.url).port], { execArgv: ['--import', 'tsx'] })
    const attacking = once(attacker, 'exit').then(() => {})
    const driving = others.rate(10, 60_000)
    const slowest = await slowestHealth(server, attacking)
    await others.stop()
    await driving
    clearInterval(watch)
    const unserved = others.outcomes.filter(({ status }) => status !== 200)
    if (unserved.length > 0) console.log(`  ${JSON.stringify(tally(unserved))}`)
    figures.push(
      { what: `${name}: slowest /livez, /readyz`, value: slowest, unit: 'ms', atMost: 250 },
      { what: `${name}: others not served`, value: unserved.length, unit: 'requests', atMost: 0 },
      { what: `${name}: slowest answer to them`, value: percentileMs(others.outcomes, 1), unit: 'ms', atMost: 5000 },
      { what: `${name}: memory taken`, value: peak - before, unit: 'MiB', atMost: maxGrowth },
    )
    await server.stop()
  }
  return [...figures, ...(await standstill())]
}

/** The server is stopped for longer than its watchdogs wait, with work under way. */
async function standstill(): Promise<Figure[]> {
  const server = await SoakServer.start('built', {
    ENGINE_HEARTBEAT_TIMEOUT_MS: '6000',
    ENGINE_BATCH_TIMEOUT_MS: '2000',
  })
  const load = new Load({ url: `${server.url}/embed?include=logits`, contentType: TENSORS, body: () => tensors() })
  load.clients(8)
  await sleep(1000)
  server.signal('SIGSTOP')
  await sleep(8000)
  server.signal('SIGCONT')
  await sleep(2000)
  await load.stop()
  const restarts = (await server.metrics()).get('resnet_engine_restarts_total') ?? Number.NaN
  const failed = load.outcomes.filter(({ status }) => status !== 200).length
  await server.stop()
  return [
    { what: 'standstill: engines restarted', value: restarts, unit: 'times', atMost: 0 },
    { what: 'standstill: failed requests', value: failed, unit: 'requests', atMost: 0 },
  ]
}
