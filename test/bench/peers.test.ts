import { describe, expect, it } from 'vitest'
import { assertAgreement } from '../../bench/peers/agreement.ts'
import type { PeerResult } from '../../bench/peers/contest.ts'
import { bestPeer, peerReport } from '../../bench/peers/peer-report.ts'
import { PEERS } from '../../bench/peers/peers.ts'
import { series } from '../../bench/statistics.ts'
import { resultsOf } from './results.ts'

const [peer] = PEERS
if (peer === undefined) throw new Error('no peers')
const reference = { logits: [0, 3, 1], embedding: [1, 2, 3, 4] }

describe('agreement with our answers', () => {
  it('is the cosine of the embeddings', () => {
    expect(assertAgreement(peer, 'tensor', { logits: [0, 9, 0], embedding: [2, 4, 6, 8] }, reference)).toBeCloseTo(1)
  })

  it('is refused to another class, another embedding and one of another length', () => {
    const of = (logits: number[], embedding: number[]) => () => {
      assertAgreement(peer, 'tensor', { logits, embedding }, reference)
    }
    expect(of([5, 3, 1], reference.embedding)).toThrow('class 0 for 1')
    expect(of(reference.logits, [4, 3, 2, 1])).toThrow('cosine')
    expect(of(reference.logits, [1, 2, 3])).toThrow('cosine')
  })
})

describe('the peers', () => {
  it('have names of their own, and what each framework takes as a tensor', () => {
    expect(new Set(PEERS.map(({ name }) => name)).size).toBe(PEERS.length)
    const tensor = Buffer.from(new Float32Array(4).buffer)
    for (const { requests } of PEERS) expect(requests.tensor.encode(tensor).body.length).toBeGreaterThan(0)
    const bentoml = PEERS.find(({ name }) => name === 'bentoml')
    expect(JSON.parse(String(bentoml?.requests.tensor.encode(tensor).body))).toEqual({ tensors: [[0, 0, 0, 0]] })
  })

  it('are held, round by round, to the one with the best median of all rounds', () => {
    const peers = [
      resultOf('ours', [300, 330, 120], [2, 2, 4], true),
      resultOf('steady', [200, 220, 80], [3, 3, 6]),
      resultOf('lucky once', [100, 900, 60], [4, 4, 4]),
    ]
    const text = peerReport({
      date: '2026-11-24T00:00:00.000Z',
      command: 'npm run bench:peers',
      machine: resultsOf().machine,
      python: '3.11.7',
      rounds: 3,
      peers,
    })
    expect(text).toContain('`npm run bench:peers`, 2026-11-24, Test with 2 cores')
    expect(text).toContain('tensor, 32 clients; best peer: steady, in CPU time steady')
    expect(text).toMatch(
      /\| ours \| fp32 \| 300\.0 \| 1\.500 \(1\.500 - 1\.500\) \| 2\.00 \| 0\.667 \(0\.667 - 0\.667\) \|/,
    )
    expect(text).toMatch(/\| steady \| fp32 \| 200\.0 \| 1\.000/)
    expect(text).toMatch(/\| lucky once \| 300\.0 \| 2\.50 \|/)
  })

  it('are no peers where all are ours', () => {
    expect(bestPeer([resultOf('ours', [1], [1], true)], () => 0)).toBeUndefined()
  })
})

function resultOf(title: string, rates: number[], cpuMs: number[], ours = false): PeerResult {
  return {
    name: title,
    title,
    settings: {},
    ours,
    precision: 'fp32',
    loads: [
      {
        input: 'tensor',
        clients: 32,
        answersPerS: series(rates),
        p50Ms: series([150]),
        p99Ms: series([180]),
        cpuMs: { http: series(cpuMs.map((ms) => ms - 1)), engine: series(cpuMs.map(() => 1)) },
        errors: 0,
        settledS: 7,
      },
    ],
    rssMiB: 300,
    startupMs: 2500,
    minCosine: 1,
  }
}
