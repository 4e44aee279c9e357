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
 * Where torchvision's CenterCrop begins along one side. Negative where the picture is smaller than the crop: so many black
 * pixels come before it. Half pixels go to the even neighbour, as Python rounds.
 */
export function cropStart(size: number, crop: number): number {
  if (crop > size) return -Math.floor((crop - size) / 2)
  const half = (size - crop) / 2
  const rounded = Math.round(half)
  return rounded - half === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded
}
