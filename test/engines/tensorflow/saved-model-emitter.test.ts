import { describe, expect, it } from 'vitest'
import { cosine } from '../../../src/engines/cosine.ts'
import { emitSavedModel } from '../../../src/engines/tensorflow/saved-model-emitter.ts'
import { DT } from '../../../src/engines/tensorflow/saved-model-schema.ts'
import { loadGraph } from '../../../src/repository/load-graph.ts'
import type { RepositoryEntry } from '../../../src/repository/repository.ts'
import {
  FIXTURE_BATCH,
  parityNames,
  readParityFixture,
  relativeDifference,
  rowOf,
  smallFixture,
} from '../../helpers/parity-fixtures.ts'
import { decodeSavedModel, runSavedModel } from './saved-model-interpreter.ts'

const items = [...Array(FIXTURE_BATCH).keys()]

/** parity.test.ts says why the two deepest, of random weights, keep less. */
function leastCosine({ manifest }: RepositoryEntry): number {
  return manifest.architecture.layers.reduce((sum, blocks) => sum + blocks) > 16 ? 0.998 : 0.9999
}

describe('the SavedModel of a ResNet', () => {
  it('has the tag, the signature and the two answers that callers look for, batch dimension free', () => {
    const { entry } = smallFixture()
    const { tags, inputs, outputs } = decodeSavedModel(emitSavedModel(loadGraph(entry), 'fp32'))
    const { numClasses, embeddingSize } = entry.manifest.architecture
    expect(tags).toEqual(['serve'])
    expect(inputs).toMatchObject({ input: { dtype: DT.string } })
    expect(inputs.input?.tensorShape.dim ?? []).toEqual([])
    expect(outputs).toMatchObject({
      logits: { dtype: DT.float, tensorShape: { dim: [{ size: -1 }, { size: numClasses }] } },
      embedding: { dtype: DT.float, tensorShape: { dim: [{ size: -1 }, { size: embeddingSize }] } },
    })
  })

  it.each(parityNames)("computes PyTorch's answers in fp32: %s", async (name) => {
    const { entry, input, expected } = readParityFixture(name)
    const model = decodeSavedModel(emitSavedModel(loadGraph(entry), 'fp32'))
    const actual = await runSavedModel(model, input)
    for (const i of items) {
      expect(relativeDifference(rowOf(actual.logits, i), rowOf(expected.logits, i))).toBeLessThanOrEqual(1e-3)
      expect(relativeDifference(rowOf(actual.embedding, i), rowOf(expected.embedding, i))).toBeLessThanOrEqual(1e-3)
    }
  })

  it.each(parityNames)("keeps the direction of PyTorch's embeddings with weights in fp16: %s", async (name) => {
    const { entry, input, expected } = readParityFixture(name)
    const model = decodeSavedModel(emitSavedModel(loadGraph(entry), 'fp16'))
    const actual = await runSavedModel(model, input)
    for (const i of items) {
      expect(cosine(rowOf(actual.embedding, i), rowOf(expected.embedding, i))).toBeGreaterThanOrEqual(
        leastCosine(entry),
      )
    }
  })

  it("keeps the direction of PyTorch's embeddings with weights in bf16", async () => {
    const { entry, input, expected } = smallFixture()
    const actual = await runSavedModel(decodeSavedModel(emitSavedModel(loadGraph(entry), 'bf16')), input)
    for (const i of items) {
      expect(cosine(rowOf(actual.embedding, i), rowOf(expected.embedding, i))).toBeGreaterThanOrEqual(0.999)
    }
  })

  it.each([
    ['fp16', DT.half],
    ['bf16', DT.bfloat16],
  ] as const)('convolves in %s, and in nothing but fp32 from the pool on', (precision, type) => {
    const { nodes } = decodeSavedModel(emitSavedModel(loadGraph(smallFixture().entry), precision))
    const types = (op: string): unknown[] => [
      ...new Set(nodes.filter((node) => node.op === op).map(({ attr }) => attr.T?.type)),
    ]
    expect(types('Conv2D')).toEqual([type])
    expect(types('AddV2')).toEqual([type])
    expect(types('MatMul')).toEqual([DT.float])
    const casts = nodes.filter(({ op }) => op === 'Cast').map(({ attr }) => [attr.SrcT?.type, attr.DstT?.type])
    expect(casts).toEqual([
      [DT.float, type],
      [type, DT.float],
    ])
  })

  it('spells padding out just where SAME would not be what PyTorch does: under stride 2', () => {
    const { nodes } = decodeSavedModel(emitSavedModel(loadGraph(smallFixture().entry), 'fp32'))
    for (const { op, attr } of nodes) {
      if (op !== 'Conv2D') continue
      const strided = attr.strides?.list?.i[1] === 2
      const padding = Buffer.from(attr.padding?.s ?? []).toString()
      expect(padding === 'EXPLICIT').toBe(strided && padding !== 'VALID')
    }
  })
})
