import type { DrawingSpec } from '../../repository/input-spec.ts'
import type { Pixels } from '../pixels.ts'
import type { GreyPicture } from './grey-picture.ts'
import { fitInk } from './ink.ts'
import { invertIfLight } from './polarity.ts'
import { toGrey } from './to-grey.ts'

/** A decoded drawing as the model's input: `[1, height, width]`, normalised. */
export function drawingInput(pixels: Pixels, spec: DrawingSpec): Float32Array {
  return normalise(fitToModel(toGrey(pixels), spec), spec)
}

/** In the model's size, values 0..1. A smaller picture is centred on black. May invert the picture in place. */
function fitToModel(picture: GreyPicture, spec: DrawingSpec): Float32Array {
  if (spec.fit === 'ink') return fitInk(picture, spec)
  if (spec.invert === 'auto') invertIfLight(picture)
  const out = new Float32Array(spec.width * spec.height)
  const left = (spec.width - picture.width) >> 1
  const top = (spec.height - picture.height) >> 1
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      out[(top + y) * spec.width + left + x] = (picture.data[y * picture.width + x] as number) / 255
    }
  }
  return out
}

/** In place. */
function normalise(values: Float32Array, spec: DrawingSpec): Float32Array {
  const [mean, std] = [spec.mean[0] as number, spec.std[0] as number]
  for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) - mean) / std
  return values
}
