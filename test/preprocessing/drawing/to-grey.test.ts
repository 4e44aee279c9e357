import { describe, expect, it } from 'vitest'
import { toGrey } from '../../../src/preprocessing/drawing/to-grey.ts'
import type { Pixels } from '../../../src/preprocessing/pixels.ts'

const greys = (channels: Pixels['channels'], ...pixels: number[]): number[] => {
  const width = pixels.length / channels
  return [...toGrey({ data: Uint8Array.from(pixels), width, height: 1, channels }).data]
}

describe('toGrey', () => {
  it('keeps greys as they are', () => {
    expect(greys(1, 0, 77, 255)).toEqual([0, 77, 255])
  })

  it('weighs red, green and blue by Rec. 601', () => {
    expect(greys(3, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255)).toEqual([76, 149, 29, 255])
  })

  it('ignores an alpha channel that is opaque everywhere', () => {
    expect(greys(2, 10, 255, 200, 255)).toEqual([10, 200])
    expect(greys(4, 255, 0, 0, 255, 9, 9, 9, 255)).toEqual([76, 9])
  })

  it.each([
    ['black strokes on a transparent canvas on white', [0, 255], [0, 0], [0, 255, 128]],
    ['white strokes on a transparent canvas on black', [255, 255], [255, 0], [255, 0, 127]],
  ])('puts %s', (_, [ink = 0], [hidden = 0], expected) => {
    // A stroke, nothing, and the stroke's edge, half transparent. What is hidden has the stroke's colour, as in a canvas.
    const alphas = [255, 0, 127]
    const two = alphas.flatMap((alpha, i) => [i === 1 ? hidden : ink, alpha])
    const four = alphas.flatMap((alpha, i) => [...Array(3).fill(i === 1 ? hidden : ink), alpha])
    expect(greys(2, ...two)).toEqual(expected)
    expect(greys(4, ...four)).toEqual(expected)
  })

  it('does not let hidden colours decide the ground', () => {
    expect(greys(2, 0, 255, 255, 0, 255, 0)).toEqual([0, 255, 255])
    expect(greys(2, 255, 255, 0, 0, 0, 0)).toEqual([255, 0, 0])
  })

  it('makes a canvas with nothing on it one grey all over', () => {
    expect(new Set(greys(4, ...Array(16).fill(0))).size).toBe(1)
  })
})
