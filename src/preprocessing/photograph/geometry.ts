import type { PhotographSpec } from '../../repository/input-spec.ts'
import type { ImageSize } from '../image-size.ts'

/**
 * The size that torchvision's Resize gives a picture: height and width, or the shortest edge; the other edge then keeps the
 * proportions and is rounded down (torchvision.transforms.functional, `_compute_resized_output_size`).
 */
export function resizedSize({ width, height }: ImageSize, resize: PhotographSpec['resize']): ImageSize {
  if (typeof resize !== 'number') return { height: resize[0], width: resize[1] }
  const longer = Math.trunc((resize * Math.max(width, height)) / Math.min(width, height))
  return width <= height ? { width: resize, height: longer } : { width: longer, height: resize }
}

/**
 * Where a centre crop of `length` begins along a side of `size` pixels. Negative where the picture is smaller: so many black
 * pixels come before it. Half a pixel goes to the even neighbour, as Python rounds for torchvision, or down.
 */
export function cropStart(size: number, length: number, crop: PhotographSpec['crop'] = 'center'): number {
  if (length > size) return -Math.floor((length - size) / 2)
  const start = Math.floor((size - length) / 2)
  const isHalf = (size - length) % 2 === 1
  return isHalf && crop === 'center' && start % 2 === 1 ? start + 1 : start
}
