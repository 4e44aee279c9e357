import { describe, expect, it } from 'vitest'
import { observedValues } from '../../src/quantization/calibrate.ts'
import { quantizeModel } from '../../src/quantization/quantize-model.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { MIN_COSINE, optionsFor, quantizeFixture } from './quantize-fixture.ts'

/** With this no layer goes back to fp32. */
const ANY = { minCosine: 0 }

describe('quantizeModel', () => {
  it.each(['custom-blocks', 'resnet18-zero-pad', 'torchvision-headless', 'timm-v2-d', 'transformers-v1'])(
    "keeps PyTorch's embeddings within the cosine that is asked for: %s",
    async (name) => {
      const { report, toPytorch } = await quantizeFixture(name)
      expect(report.evaluation.cosine_min).toBeGreaterThanOrEqual(MIN_COSINE)
      expect(toPytorch).toBeGreaterThanOrEqual(MIN_COSINE - 1e-3)
    },
  )

  it('gives every value a scale, its input too, and an error to every layer', async () => {
    const options = optionsFor(smallFixture(), ANY)
    const { quantization, layers } = await quantizeModel(options)
    const names = observedValues(options.graph)
    expect(Object.keys(quantization.activations).sort()).toEqual(['input', ...names].sort())
    expect(Object.keys(layers)).toEqual(names)
    for (const error of Object.values(layers)) expect(error).toBeGreaterThan(0)
  })

  it('gives the same scales for the same samples', async () => {
    const [first, second] = [
      await quantizeModel(optionsFor(smallFixture(), ANY)),
      await quantizeModel(optionsFor(smallFixture(), ANY)),
    ]
    expect(second).toEqual(first)
  })

  it('returns layers to fp32 where more is asked than eight bits can give', async () => {
    const { quantization, report } = await quantizeModel(optionsFor(smallFixture(), { minCosine: 0.999999 }))
    expect(quantization.fp32.length).toBeGreaterThan(0)
    expect(report.evaluation.cosine_min).toBeGreaterThanOrEqual(0.999999)
  })

  it('keeps in fp32 what it is told to, and names a node that there is not', async () => {
    const { quantization } = await quantizeModel(optionsFor(smallFixture(), { ...ANY, fp32: ['conv1'] }))
    expect(quantization.fp32).toEqual(['conv1'])
    await expect(quantizeModel(optionsFor(smallFixture(), { fp32: ['conv9'] }))).rejects.toThrow('no value conv9')
  })

  it('tells how far each stage is', async () => {
    const seen = new Map<string, number>()
    await quantizeModel(
      optionsFor(smallFixture(), { ...ANY, onProgress: (stage, done, total) => seen.set(stage, done / total) }),
    )
    expect([...seen]).toEqual([
      ['ranges', 1],
      ['fp32', 1],
      ['int8', 1],
    ])
  })
})
