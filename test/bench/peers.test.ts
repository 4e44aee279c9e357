import { describe, expect, it } from 'vitest'
import { assertAgreement } from '../../bench/peers/agreement.ts'
import { peerReport } from '../../bench/peers/peer-report.ts'
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
    expect(JSON.parse(String(bentoml?.requests.tensor.encode(tensor).body))).toEqual({
      tensors: [
        [
          [
            [0, 0],
            [0, 0],
          ],
        ],
      ],
    })
  })

  it('are shown in one row each, under the command that measured them', () => {
    const text = peerReport({
      date: '2026-11-24T00:00:00.000Z',
      command: 'npm run bench:peers',
      machine: resultsOf().machine,
      python: '3.11.7',
      rounds: 3,
      peers: [
        {
          name: 'mosec',
          title: 'Mosec',
          settings: {},
          precision: 'fp32',
          loads: (['tensor', 'png'] as const).flatMap((input) =>
            [32, 1].map((clients) => ({
              input,
              clients,
              answersPerS: series([200, 210, 220]),
              p50Ms: series([150]),
              p99Ms: series([180]),
              errors: 0,
            })),
          ),
          rssMiB: series([300]),
          startupMs: series([2500]),
          minCosine: 1,
        },
      ],
    })
    expect(text).toContain('`npm run bench:peers`, 2026-11-24, Test with 2 cores')
    expect(text).toContain('| Mosec | fp32 | 210.0 (200.0 - 220.0) | 150.0 / 180.0 |')
  })
})
