import { describe, expect, it } from 'vitest'
import { parityNames } from '../helpers/parity-fixtures.ts'
import { MIN_COSINE, quantizeFixture } from '../quantization/quantize-fixture.ts'

describe('quantizeModel', () => {
  it.each(parityNames)("keeps PyTorch's embeddings within the cosine that is asked for: %s", async (name) => {
    const { report, toPytorch } = await quantizeFixture(name)
    expect(report.evaluation.cosine_min).toBeGreaterThanOrEqual(MIN_COSINE)
    expect(toPytorch).toBeGreaterThanOrEqual(MIN_COSINE - 1e-3)
  })
})
