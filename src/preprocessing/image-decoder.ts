import sharp, { type Sharp } from 'sharp'
import { ServeError } from '../errors.ts'
import type { InputSpec } from '../repository/manifest.ts'
import { type GreyPicture, invertIfLight } from './grey-picture.ts'
import { formatOf } from './image-format.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { fitInk } from './ink.ts'
import { readSmallPng } from './small-png.ts'
import { toGrey } from './to-grey.ts'

/** With `fit: ink`, pictures are scaled down to this many times the model's size before the ink is searched. */
const SEARCH_SCALE = 4

export interface ImageDecoderOptions {
  /** Most pixels of one picture, before scaling. */
  maxPixels: number
  /** Most pixels of width or height. */
  maxSide: number
  /** Most seconds for one picture. */
  timeoutS: number
  /** Most pictures being decoded or waiting for a thread; one more is refused with `queue_full`. */
  maxPending: number
}

/*
 * sharp's settings hold for the process. One thread for each picture, since libuv's pool decodes several at once. No cache,
 * since uploads do not repeat. Only the loaders of the served formats, so that a hole in another decoder cannot be reached.
 */
sharp.cache(false)
sharp.concurrency(1)
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['Png', 'Jpeg', 'Webp'].map((format) => `VipsForeignLoad${format}Buffer`) })

/** Turns an uploaded picture into a model's input. Decoding runs on libuv's threads. */
export class ImageDecoder {
  readonly #options: ImageDecoderOptions
  #pending = 0

  constructor(options: ImageDecoderOptions) {
    this.#options = options
  }

  /** Pictures being decoded or waiting for a thread. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Decodes PNG, JPEG or WebP to `[1, height, width]`, normalised with the model's mean and std. Rejects with
   * `unsupported_image_format`, `undecodable_image`, `image_too_large` or `queue_full`.
   */
  async decode(bytes: Uint8Array, spec: InputSpec): Promise<Float32Array> {
    const format = formatOf(bytes)
    const size = imageSize(bytes, format)
    const { maxSide, maxPending } = this.#options
    if (size && Math.max(size.width, size.height) > maxSide) {
      throw new ServeError('image_too_large', `the image is more than ${maxSide} pixels wide or high`)
    }
    const small = format === 'png' && size && this.#isSmall(size, spec) ? readSmallPng(bytes, size) : undefined
    if (small !== undefined) return prepare(small, spec)
    if (this.#pending >= maxPending) {
      throw new ServeError('queue_full', 'too many images are waiting to be decoded', { retryAfterS: 1 })
    }
    this.#pending++
    try {
      return prepare(await this.#readGrey(bytes, spec), spec)
    } finally {
      this.#pending--
    }
  }

  /** Whether a picture is within the limits and needs no scaling. */
  #isSmall({ width, height }: ImageSize, spec: InputSpec): boolean {
    if (width * height > this.#options.maxPixels) return false
    if (spec.fit === 'ink') return width <= spec.width * SEARCH_SCALE && height <= spec.height * SEARCH_SCALE
    return width === spec.width && height === spec.height
  }

  async #readGrey(bytes: Uint8Array, spec: InputSpec): Promise<GreyPicture> {
    const { maxPixels, timeoutS } = this.#options
    const pipeline = sharp(bytes, { failOn: 'warning', limitInputPixels: maxPixels })
      .autoOrient()
      .timeout({ seconds: timeoutS })
    try {
      // `toGrey` instead of libvips' conversion: it is cheaper at this size, and it uses the alpha channel.
      const { data, info } = await scaled(pipeline, spec).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
      return toGrey(data, info.width, info.height, info.channels)
    } catch (error) {
      throw decodeError(error as Error, maxPixels)
    }
  }
}

function scaled(pipeline: Sharp, { width, height, fit: mode }: InputSpec): Sharp {
  switch (mode) {
    case 'fill':
    case 'cover':
      return pipeline.resize(width, height, { fit: mode })
    case 'contain':
      return pipeline.resize(width, height, { fit: 'inside' })
    case 'ink':
      return pipeline.resize(width * SEARCH_SCALE, height * SEARCH_SCALE, { fit: 'inside', withoutEnlargement: true })
  }
}

/** The model's input from a decoded picture. May invert the picture in place. */
function prepare(picture: GreyPicture, spec: InputSpec): Float32Array {
  if (spec.invert === 'auto') invertIfLight(picture)
  return normalise(fitToModel(picture, spec), spec)
}

/** In the model's size, values 0..1. A smaller picture is centred on black. */
function fitToModel(picture: GreyPicture, spec: InputSpec): Float32Array {
  if (spec.fit === 'ink') return fitInk(picture, spec)
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

/** sharp has no error codes. Two errors are recognised by their message; any other means a damaged picture. */
function decodeError(error: Error, maxPixels: number): ServeError {
  if (/exceeds pixel limit/i.test(error.message)) {
    return new ServeError('image_too_large', `the image has more than ${maxPixels} pixels`, { cause: error })
  }
  if (/^timeout/i.test(error.message)) {
    return new ServeError('image_too_large', 'the image takes too long to decode', { cause: error })
  }
  return new ServeError('undecodable_image', 'the image is damaged and cannot be decoded', { cause: error })
}
