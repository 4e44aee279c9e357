import sharp, { type Sharp } from 'sharp'
import { type Clock, systemClock } from '../batching/clock.ts'
import type { SubmitOptions } from '../batching/job.ts'
import { ServeError } from '../errors.ts'
import type { InputSpec } from '../repository/manifest.ts'
import { DecodeQueue, ThreadGate, TurnGate } from './decode-queue.ts'
import type { GreyPicture } from './grey-picture.ts'
import { formatOf } from './image-format.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { fitInk } from './ink.ts'
import { invertIfLight } from './polarity.ts'
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
  /** Most pictures being decoded or waiting for it; one more is refused with `queue_full`. */
  maxPending: number
  /** Pictures decoded at once; as many as libuv has threads unless given. */
  threads?: number
  clock?: Clock
}

/** libuv's own default. With fewer pictures at once, a thread idles while the event loop prepares the picture before. */
const LIBUV_THREADS = 4

/**
 * Most of the largest pictures that one request may hold. A request's bytes do not bound its pixels: a PNG of one colour
 * has a thousand pixels for each byte.
 */
const MAX_LARGEST_PER_REQUEST = 4

let configured = false

/**
 * sharp's settings hold for the process. One thread for each picture, since libuv's pool decodes several at once. No cache,
 * since uploads do not repeat. Only the loaders of the served formats, so that a hole in another decoder cannot be reached.
 */
function configureSharp(): void {
  if (configured) return
  configured = true
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: ['Png', 'Jpeg', 'Webp'].map((format) => `VipsForeignLoad${format}Buffer`) })
}

/**
 * Turns uploaded pictures into a model's inputs. Decoding runs on libuv's threads: as many pictures at once as it has,
 * and no more pixels in all than one picture may have. Small plain PNGs are read on the event loop.
 */
export class ImageDecoder {
  readonly #options: ImageDecoderOptions
  readonly #threads: DecodeQueue<Float32Array>
  /** Null for a file that turns out not to be plain. */
  readonly #spot: DecodeQueue<Float32Array | null>
  readonly #turn: TurnGate

  constructor(options: ImageDecoderOptions) {
    this.#options = options
    configureSharp()
    const { maxPixels, threads = LIBUV_THREADS, clock = systemClock } = options
    this.#threads = new DecodeQueue(clock, new ThreadGate(threads, maxPixels))
    this.#turn = new TurnGate(clock, () => this.#spot.start())
    this.#spot = new DecodeQueue(clock, this.#turn)
  }

  /** Pictures being decoded or waiting for it. */
  get pending(): number {
    return this.#threads.pending + this.#spot.pending
  }

  /** Decodes one picture as `decodeAll` does. Rejects with its failure. */
  async decode(bytes: Uint8Array, spec: InputSpec, options: SubmitOptions = {}): Promise<Float32Array> {
    const [decoded] = await this.decodeAll([bytes], spec, options)
    if (decoded instanceof Float32Array) return decoded
    throw decoded
  }

  /**
   * Decodes the PNGs, JPEGs and WebPs of one request to `[1, height, width]` each, normalised with the model's mean and
   * std. A picture that fails has its ServeError in its place: `unsupported_image_format`, `undecodable_image` or
   * `image_too_large`; `deadline_exceeded` or `canceled` where it was not decoded in time. Rejects with `queue_full` or
   * `image_too_large` if all together are too much.
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
        const picture = this.#inspect(index, bytes, spec)
        // The common case costs no queue: one small picture, and nobody before it.
        const atOnce = picture.isSmall && small.length + this.#spot.pending === 0 && this.#turn.mayStart()
        const read = atOnce ? readSmall(picture, spec) : null
        if (read !== null) results[index] = read
        else if (picture.isSmall && !atOnce) small.push(picture)
        else large.push(picture)
      } catch (error) {
        results[index] = error as ServeError
      }
    }
    this.#assertPixels(large)

    const onThreads = async (some: Picture[]): Promise<void> => {
      if (some.length === 0) return
      const read = ({ bytes, pixels }: Picture) => {
        return { pixels, run: async () => prepare(await this.#readGrey(bytes, spec), spec) }
      }
      const decoded = await this.#threads.submit(some.map(read), options)
      for (const [i, { index }] of some.entries()) results[index] = decoded[i] as Float32Array | ServeError
    }
    const onTheSpot = async (): Promise<void> => {
      if (small.length === 0) return
      const read = (picture: Picture) => ({ pixels: picture.pixels, run: () => readSmall(picture, spec) })
      const decoded = await this.#spot.submit(small.map(read), options)
      for (const [i, { index }] of small.entries()) results[index] = decoded[i] as Float32Array | ServeError
      await onThreads(small.filter((_, i) => decoded[i] === null))
    }
    await Promise.all([onThreads(large), onTheSpot()])
    return results
  }

  #inspect(index: number, bytes: Uint8Array, spec: InputSpec): Picture {
    const format = formatOf(bytes)
    const size = imageSize(bytes, format)
    const { maxSide, maxPixels } = this.#options
    if (size && Math.max(size.width, size.height) > maxSide) {
      throw new ServeError('image_too_large', `the image is more than ${maxSide} pixels wide or high`)
    }
    const pixels = size ? size.width * size.height : maxPixels
    const isSmall = format === 'png' && size !== undefined && this.#isSmall(size, spec)
    return { index, bytes, size, pixels: Math.min(pixels, maxPixels), isSmall }
  }

  #assertPixels(pictures: Picture[]): void {
    const most = MAX_LARGEST_PER_REQUEST * this.#options.maxPixels
    const pixels = pictures.reduce((sum, picture) => sum + picture.pixels, 0)
    if (pixels > most) throw new ServeError('image_too_large', `the images have more than ${most} pixels together`)
  }

  /** Whether a picture is within the limits and needs no scaling. */
  #isSmall({ width, height }: ImageSize, spec: InputSpec): boolean {
    if (width * height > this.#options.maxPixels) return false
    if (spec.fit === 'ink') return width <= spec.width * SEARCH_SCALE && height <= spec.height * SEARCH_SCALE
    return width === spec.width && height === spec.height
  }

  async #readGrey(bytes: Uint8Array, spec: InputSpec): Promise<GreyPicture> {
    const { maxPixels, timeoutS } = this.#options
    // A warning is what Pillow and browsers pass over too: stray bytes, odd versions, bad metadata.
    const pipeline = sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels })
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

interface Picture {
  /** Position in the request. */
  index: number
  bytes: Uint8Array
  /** What the file claims; undefined if it cannot be found. */
  size: ImageSize | undefined
  /** Of the claim; as many as are allowed where there is none. */
  pixels: number
  isSmall: boolean
}

/** Null for a file that is not plain, or damaged: sharp then decides. */
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

/** The model's input from a decoded picture. May invert the picture in place. */
function prepare(picture: GreyPicture, spec: InputSpec): Float32Array {
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
