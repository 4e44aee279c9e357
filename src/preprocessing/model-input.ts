import type { InputSpec } from '../repository/manifest.ts'
import type { GreyPicture } from './grey-picture.ts'
import { fitInk } from './ink.ts'
import { invertIfLight } from './polarity.ts'

/** A decoded picture as the model's input: `[1, height, width]`, normalised. May invert the picture in place. */
export function toModelInput(picture: GreyPicture, spec: InputSpec): Float32Array {
  return normalise(fitToModel(picture, spec), spec)
}

/** In the model's size, values 0..1. A smaller picture is centred on black. */
function fitToModel(picture: GreyPicture, spec: InputSpec): Float32Array {
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
function normalise(values: Float32Array, { mean, std }: InputSpec): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) - mean) / std
  return values
}
