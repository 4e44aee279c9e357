import { availableParallelism } from 'node:os'
import sharp, { type Sharp } from 'sharp'
import { type Clock, systemClock } from '../batching/clock.ts'
import type { SubmitOptions } from '../batching/job.ts'
import { ServeError } from '../errors.ts'
import type { InputSpec } from '../repository/manifest.ts'
import { DecodeQueue, ThreadGate, TurnGate } from './decode-queue.ts'
import { type GreyPicture, invertIfLight } from './grey-picture.ts'
import { formatOf } from './image-format.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { fitInk } from './ink.ts'
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
  /** Pictures being decoded or waiting for it at the most; one more is refused with `queue_full`. */
  maxPending: number
  /** Pictures decoded at once; one per core unless given. */
  threads?: number
  clock?: Clock
}

/**
 * How many of the largest pictures one request may hold. A request's bytes do not bound its pixels: a PNG of one colour
 * has a thousand pixels for each byte.
 */
const MAX_LARGEST_PER_REQUEST = 4

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

/**
 * Turns uploaded pictures into what a model wants to see. Decoding runs on libuv's threads, as many pictures at once as
 * there are cores, and no more pixels in all than one picture may have. Small plain PNGs are read on the event loop.
 */
export class ImageDecoder {
  readonly #options: ImageDecoderOptions
  readonly #threads: DecodeQueue<Float32Array>
  /** Null for what turns out not to be plain. */
  readonly #spot: DecodeQueue<Float32Array | null>

  constructor(options: ImageDecoderOptions) {
    this.#options = options
    const { maxPixels, threads = availableParallelism(), clock = systemClock } = options
    this.#threads = new DecodeQueue(clock, new ThreadGate(threads, maxPixels))
    this.#spot = new DecodeQueue(clock, new TurnGate(clock, () => this.#spot.start()))
    configureSharp()
  }

  /** Pictures being decoded, and those that wait for it. */
  get pending(): number {
    return this.#threads.pending + this.#spot.pending
  }

  /** One picture; see `decodeAll`. Throws its failure. */
  async decode(bytes: Uint8Array, spec: InputSpec, options: SubmitOptions = {}): Promise<Float32Array> {
    const [decoded] = await this.decodeAll([bytes], spec, options)
    if (decoded instanceof Float32Array) return decoded
    throw decoded
  }

  /**
   * PNG, JPEG or WebP bytes to `[1, height, width]` each, normalised with the model's mean and std. A picture that fails
   * has its ServeError in its place: `unsupported_image_format`, `undecodable_image` or `image_too_large`. All that are
   * missing when the deadline passes or the client leaves have `deadline_exceeded` or `canceled`. Rejects with
   * `queue_full` or `image_too_large` where all of them together are too much.
   */
  async decodeAll(
    pictures: Uint8Array[],
    spec: InputSpec,
    options: SubmitOptions = {},
  ): Promise<(Float32Array | ServeError)[]> {
    if (this.pending + pictures.length > this.#options.maxPending) {
      throw new ServeError('queue_full', 'too many images are waiting to be decoded', { retryAfterS: 1 })
    }
    const results = new Array<Float32Array | ServeError>(pictures.length)
    const small: Picture[] = []
    const large: Picture[] = []
    for (const [index, bytes] of pictures.entries()) {
      try {
        const format = formatOf(bytes)
        const size = imageSize(bytes, format)
        this.#assertSides(size)
        const picture = { index, bytes, size, pixels: size ? size.width * size.height : this.#options.maxPixels }
        if (format === 'png' && size && this.#isSmall(size, spec)) small.push(picture)
        else large.push(picture)
      } catch (error) {
        results[index] = error as ServeError
      }
    }
    this.#assertPixels(large)

    const onThreads = async (some: Picture[]): Promise<void> => {
      const read = ({ bytes, pixels }: Picture) => ({
        pixels,
        run: async () => prepare(await this.#readGrey(bytes, spec), spec),
      })
      const decoded = await this.#threads.submit(some.map(read), options)
      for (const [i, { index }] of some.entries()) results[index] = decoded[i] as Float32Array | ServeError
    }
    const onTheSpot = async (): Promise<void> => {
      const read = (picture: Picture) => ({ pixels: picture.pixels, run: () => readSmall(picture, spec) })
      const decoded = await this.#spot.submit(small.map(read), options)
      for (const [i, { index }] of small.entries()) results[index] = decoded[i] as Float32Array | ServeError
      await onThreads(small.filter((_, i) => decoded[i] === null))
    }
    await Promise.all([onThreads(large), onTheSpot()])
    return results
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

  #assertPixels(pictures: Picture[]): void {
    const most = MAX_LARGEST_PER_REQUEST * this.#options.maxPixels
    const pixels = pictures.reduce((sum, picture) => sum + Math.min(picture.pixels, this.#options.maxPixels), 0)
    if (pixels > most) throw new ServeError('image_too_large', `the images have more than ${most} pixels together`)
  }

  async #readGrey(bytes: Uint8Array, spec: InputSpec): Promise<GreyPicture> {
    const { maxPixels, timeoutS } = this.#options
    const pipeline = sharp(bytes, { failOn: 'warning', limitInputPixels: maxPixels })
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

interface Picture {
  /** Position in the request. */
  index: number
  bytes: Uint8Array
  /** As the file says; undefined where it does not. */
  size: ImageSize | undefined
  pixels: number
}

/** Null where the file is not plain, or damaged: sharp then decides. */
function readSmall({ bytes, size }: Picture, spec: InputSpec): Float32Array | null {
  const picture = size && readSmallPng(bytes, size)
  return picture ? prepare(picture, spec) : null
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
  if (spec.invert === 'auto') invertIfLight(picture)
  return normalise(fitToModel(picture, spec), spec)
}

/** To the model's size, values 0..1. */
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
