import { deadline, engineKill, eventLoop } from './faults.ts'
import { hostile } from './hostile.ts'
import { mixed } from './mixed.ts'
import { overload, spike } from './overload.ts'
import { priority } from './priority.ts'
import { swaps } from './swaps.ts'
import { type Figure, isMet, report } from './verdict.ts'

interface Scenario {
  says: string
  run: (quick: boolean) => Promise<Figure[]>
  /** This one proves that its bounds can be missed. */
  mustFail?: boolean
}

const SCENARIOS: Record<string, Scenario> = {
  deadline: { says: 'deadlines of 20 ms behind batches of 200 ms', run: (quick) => deadline(quick ? 5 : 20) },
  overload: { says: 'open loop at 2, 5 and 10 times saturation', run: (quick) => overload(quick ? 8 : 30) },
  spike: { says: 'ten times saturation for a minute, and what comes after', run: (quick) => spike(quick ? 10 : 60) },
  priority: { says: 'interactive clients beside bulk work', run: (quick) => priority(quick ? 5 : 30) },
  'event-loop': { says: 'the event loop at saturation, default model', run: (quick) => eventLoop(quick ? 5 : 30) },
  'engine-kill': { says: 'kill -9 of all engine processes, 32 clients', run: (quick) => engineKill(quick ? 3 : 10) },
  swaps: { says: 'model versions swapped under 32 clients', run: (quick) => swaps(quick ? 3 : 20, quick ? 10 : 60) },
  hostile: { says: 'what one client can do to all others', run: () => hostile() },
  mixed: { says: 'good and bad requests at twice saturation', run: (quick) => mixed(quick ? 20_000 : 100_000) },
  unbounded: {
    says: 'the same with an unbounded queue, which must fail',
    // Enough to fail by; with more, what is never refused exhausts this process's own files first.
    run: () => mixed(20_000, 'unbounded'),
    mustFail: true,
  },
}

const args = process.argv.slice(2)
const quick = args.includes('--quick')
const chosen = args.filter((arg) => arg !== '--quick')
const unknown = chosen.filter((name) => !(name in SCENARIOS))
if (unknown.length > 0) {
  console.error(`no scenario ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}, and --quick`)
  process.exit(2)
}

let failed = false
for (const [name, { says, run, mustFail = false }] of Object.entries(SCENARIOS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  console.log(`${name}: ${says}`)
  const figures = await run(quick)
  console.log(report(figures))
  // A quick run is for any machine, busy ones too: its times are shown and not held.
  const met = figures.filter(({ unit }) => !quick || unit !== 'ms').every(isMet)
  if (met === mustFail) failed = true
  if (mustFail) console.log(met ? '  NOT  it should have failed' : '  met  it failed, as it must')
}
process.exit(failed ? 1 : 0)
