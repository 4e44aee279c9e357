import sharp, { type Sharp } from 'sharp'
import { ServeError } from '../errors.ts'
import type { InputSpec } from '../repository/manifest.ts'
import type { GreyPicture } from './grey-picture.ts'
import { formatOf } from './image-format.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { fitInk } from './ink.ts'
import { invertIfLight } from './polarity.ts'
import { readSmallPng } from './small-png.ts'
import { toGrey } from './to-grey.ts'

/** With `fit: ink` a picture is searched for its ink at no more than this many times the model's size. */
const SEARCH_SCALE = 4

export interface ImageDecoderOptions {
  /** Pixels of one picture at the most, before any scaling. */
  maxPixels: number
  /** Width and height at the most, in pixels. */
  maxSide: number
  /** Seconds one picture may take. */
  timeoutS: number
  /** Pictures being decoded or waiting for a thread at the most; one more is refused with `queue_full`. */
  maxPending: number
}

let configured = false

/**
 * Settings of the process: one thread a picture (libuv's pool runs several pictures at once), no cache of one-time
 * uploads, and no loader but the three that are served, so that a hole in another format's decoder cannot be reached.
 */
function configureSharp(): void {
  if (configured) return
  configured = true
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  const loaders = ['Png', 'Jpeg', 'Webp'].map((format) => `VipsForeignLoad${format}Buffer`)
  sharp.unblock({ operation: loaders })
}

/** Turns an uploaded picture into what a model wants to see. Decoding runs on libuv's threads. */
export class ImageDecoder {
  readonly #options: ImageDecoderOptions
  #pending = 0

  constructor(options: ImageDecoderOptions) {
    this.#options = options
    configureSharp()
  }

  /** Pictures being decoded, or waiting for a thread. */
  get pending(): number {
    return this.#pending
  }

  /**
   * PNG, JPEG or WebP bytes to `[1, height, width]`, normalised with the model's mean and std. Throws
   * `unsupported_image_format`, `undecodable_image`, `image_too_large` or `queue_full`.
   */
  async decode(bytes: Uint8Array, spec: InputSpec): Promise<Float32Array> {
    const format = formatOf(bytes)
    const size = imageSize(bytes, format)
    this.#assertSides(size)
    const small = format === 'png' && size && this.#isSmall(size, spec) ? readSmallPng(bytes, size) : undefined
    if (small !== undefined) return prepare(small, spec)
    if (this.#pending >= this.#options.maxPending) {
      throw new ServeError('queue_full', 'too many images are waiting to be decoded', { retryAfterS: 1 })
    }
    this.#pending++
    try {
      return prepare(await this.#readGrey(bytes, spec), spec)
    } finally {
      this.#pending--
    }
  }

  /** Whether a picture needs no scaling. */
  #isSmall({ width, height }: ImageSize, spec: InputSpec): boolean {
    if (width * height > this.#options.maxPixels) return false
    if (spec.fit === 'ink') return width <= spec.width * SEARCH_SCALE && height <= spec.height * SEARCH_SCALE
    return width === spec.width && height === spec.height
  }

  #assertSides(size: ImageSize | undefined): void {
    const { maxSide } = this.#options
    if (size && Math.max(size.width, size.height) > maxSide) {
      throw new ServeError('image_too_large', `the image is more than ${maxSide} pixels wide or high`)
    }
  }

  async #readGrey(bytes: Uint8Array, spec: InputSpec): Promise<GreyPicture> {
    const { maxPixels, timeoutS } = this.#options
    // A warning is what Pillow and browsers pass over too: stray bytes, odd versions, bad metadata.
    const pipeline = sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels })
      .autoOrient()
      .timeout({ seconds: timeoutS })
    try {
      // Colours become grey in our own loop: it is cheaper than libvips' conversion at this size, and sees the alpha.
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

/** A picture as read to what the model sees. Inverts it in place. */
function prepare(picture: GreyPicture, spec: InputSpec): Float32Array {
  return normalise(fitToModel(picture, spec), spec)
}

/** To the model's size, values 0..1. */
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

/** sharp has messages and no codes; these two are told apart by their words, and the rest is a damaged picture. */
function decodeError(error: Error, maxPixels: number): ServeError {
  if (/exceeds pixel limit/i.test(error.message)) {
    return new ServeError('image_too_large', `the image has more than ${maxPixels} pixels`, { cause: error })
  }
  if (/^timeout/i.test(error.message)) {
    return new ServeError('image_too_large', 'the image takes too long to decode', { cause: error })
  }
  return new ServeError('undecodable_image', 'the image is damaged and cannot be decoded', { cause: error })
}
