import { describe, expect, it } from 'vitest'
import { compare } from '../../../src/cli/doctor/compare.ts'

const answers = (logits: number[], embedding: number[]) => ({
  logits: Float32Array.from(logits),
  embedding: Float32Array.from(embedding),
})

describe('compare', () => {
  it('is perfect for equal answers', () => {
    const same = answers([1, 2, 3, 4], [3, 4, 0, 1])
    expect(compare(same, same, 2)).toEqual({ largest_relative_difference: 0, embedding_cosine: 1 })
  })

  it('takes the worst row of the worst vector, relative to the largest value of that row', () => {
    const { largest_relative_difference } = compare(
      answers([1, 2, 3, 4.5], [0, 8, 2, 0]),
      answers([1, 2, 3, 4], [0, 8, 1, 0]),
      2,
    )
    expect(largest_relative_difference).toBe(1)
  })

  it('takes the least cosine of the embeddings', () => {
    expect(compare(answers([1, 1], [1, 0, 0, 1]), answers([1, 1], [1, 0, 1, 0]), 2).embedding_cosine).toBe(0)
  })

  it('compares embeddings alone where the model has no classifier', () => {
    expect(compare(answers([], [1, 2]), answers([], [1, 4]), 1).largest_relative_difference).toBe(0.5)
  })

  it('accepts no NaN', () => {
    expect(compare(answers([Number.NaN], [1]), answers([1], [1]), 1).largest_relative_difference).toBeNaN()
    expect(compare(answers([1], [Number.NaN]), answers([1], [1]), 1).embedding_cosine).toBeNaN()
  })

  it('refuses answers of another length', () => {
    expect(() => compare(answers([1], [1]), answers([1, 2], [1]), 1)).toThrow('1 values instead of 2')
  })
})
