import { describe, expect, it } from 'vitest'
import { type Answers, compare } from '../../src/quantization/comparison.ts'

function answers(classes: number[], labels: (string | undefined)[], embeddings: number[][]): Answers {
  return { classes, labels, embeddings: embeddings.map((embedding) => Float32Array.from(embedding)) }
}

const EMBEDDINGS = [
  [1, 0],
  [0, 1],
  [3, 4],
  [1, 1],
]

describe('compare', () => {
  it('takes mean and least cosine, agreement, and how many of the labelled each gets right', () => {
    const labels = ['b', 'a', undefined, 'b']
    const fp32 = answers([1, 0, 0, 1], labels, EMBEDDINGS)
    const int8 = answers([1, 0, 1, 0], labels, [...EMBEDDINGS.slice(0, 3), [1, 0]])
    const [least] = [Math.SQRT1_2]
    expect(compare(fp32, int8, ['a', 'b'])).toEqual({
      samples: 4,
      cosine_mean: expect.closeTo((3 + least) / 4, 5),
      cosine_min: expect.closeTo(least, 5),
      agreement: 0.5,
      accuracy: { samples: 3, fp32: 1, int8: expect.closeTo(2 / 3, 5) },
    })
  })

  it('compares embeddings alone where the model has no classifier', () => {
    const embeddings = answers([], ['a', 'b'], [[1], [2]])
    expect(compare(embeddings, embeddings, [])).toEqual({ samples: 2, cosine_mean: 1, cosine_min: 1 })
  })

  it('says nothing of accuracy where no folder is named after a class', () => {
    const fp32 = answers([1], ['scans'], [[1]])
    expect(compare(fp32, fp32, ['a', 'b'])).not.toHaveProperty('accuracy')
  })
})
