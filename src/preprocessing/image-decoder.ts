import { type Clock, systemClock } from '../batching/clock.ts'
import type { SubmitOptions } from '../batching/job.ts'
import { ServeError } from '../errors.ts'
import { type InputSpec, isDrawing } from '../repository/input-spec.ts'
import { DecodeQueue, ThreadGate, TurnGate } from './decode-queue.ts'
import { drawingInput } from './drawing/drawing-input.ts'
import { formatOf } from './image-format.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { atOnce, inTurns } from './in-turns.ts'
import { photographInput } from './photograph/photograph-input.ts'
import { configureSharp, type DecodeLimits, decodeDrawing, decodePhotograph, needsNoScaling } from './sharp-decoder.ts'
import { readSmallPng } from './small-png.ts'

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

/**
 * Turns uploaded pictures into a model's inputs. Decoding runs on libuv's threads: as many pictures at once as it has,
 * and no more pixels in all than one picture may have. Small plain PNGs are read on the event loop.
 */
export class ImageDecoder {
  readonly #options: ImageDecoderOptions
  readonly #threads: DecodeQueue<Decoded>
  readonly #eventLoop: DecodeQueue<Decoded>
  readonly #turn: TurnGate

  constructor(options: ImageDecoderOptions) {
    this.#options = options
    configureSharp()
    const { maxPixels, threads = LIBUV_THREADS, clock = systemClock } = options
    this.#threads = new DecodeQueue(clock, new ThreadGate(threads, maxPixels))
    this.#turn = new TurnGate(clock, () => this.#eventLoop.start())
    this.#eventLoop = new DecodeQueue(clock, this.#turn)
  }

  /** Pictures being decoded or waiting for it. */
  get pending(): number {
    return this.#threads.pending + this.#eventLoop.pending
  }

  /** Decodes one picture as `decodeAll` does. Rejects with its failure. */
  async decode(bytes: Uint8Array, spec: InputSpec, options: SubmitOptions = {}): Promise<Float32Array> {
    const [decoded] = await this.decodeAll([bytes], spec, options)
    if (decoded instanceof Float32Array) return decoded
    throw decoded
  }

  /**
   * Decodes the PNGs, JPEGs and WebPs of one request to `[C, height, width]` each, normalised with the model's mean and
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
    const results = new Array<Decoded | ServeError>(pictures.length)
    const small: Picture[] = []
    const large: Picture[] = []
    for (const [index, bytes] of pictures.entries()) {
      try {
        const picture = this.#inspect(index, bytes, spec)
        // The common case costs no queue: one small picture, and nobody before it.
        const atOnce = picture.isSmall && small.length + this.#eventLoop.pending === 0 && this.#turn.mayStart()
        const read = atOnce ? readSmall(picture, spec) : null
        if (read !== null) results[index] = read
        else if (picture.isSmall && !atOnce) small.push(picture)
        else large.push(picture)
      } catch (error) {
        results[index] = error as ServeError
      }
    }
    this.#assertPixels(large)

    /** Returns the pictures that were not plain. */
    const decode = async (
      queue: DecodeQueue<Decoded>,
      some: Picture[],
      read: (picture: Picture) => Promise<Decoded> | Decoded,
    ): Promise<Picture[]> => {
      if (some.length === 0) return []
      const decodings = some.map((picture) => ({ pixels: picture.pixels, run: () => read(picture) }))
      const decoded = await queue.submit(decodings, options)
      for (const [i, { index }] of some.entries()) results[index] = decoded[i] as Decoded | ServeError
      return some.filter((_, i) => decoded[i] === null)
    }
    const onThreads = (some: Picture[]) => {
      return decode(this.#threads, some, (picture) => readLarge(picture, spec, this.#options))
    }
    const onEventLoop = async () => onThreads(await decode(this.#eventLoop, small, (each) => readSmall(each, spec)))
    await Promise.all([onThreads(large), onEventLoop()])
    return results as (Float32Array | ServeError)[]
  }

  #inspect(index: number, bytes: Uint8Array, spec: InputSpec): Picture {
    const format = formatOf(bytes)
    const size = imageSize(bytes, format)
    const { maxSide, maxPixels } = this.#options
    if (size && Math.max(size.width, size.height) > maxSide) {
      throw new ServeError('image_too_large', `the image is more than ${maxSide} pixels wide or high`)
    }
    const pixels = size ? size.width * size.height : maxPixels
    const isSmall = format === 'png' && size !== undefined && pixels <= maxPixels && needsNoScaling(size, spec)
    return { index, bytes, size, pixels: Math.min(pixels, maxPixels), isSmall }
  }

  #assertPixels(pictures: Picture[]): void {
    const most = MAX_LARGEST_PER_REQUEST * this.#options.maxPixels
    const pixels = pictures.reduce((sum, picture) => sum + picture.pixels, 0)
    if (pixels > most) throw new ServeError('image_too_large', `the images have more than ${most} pixels together`)
  }
}

/** Null for a small file that turns out not to be plain. */
type Decoded = Float32Array | null

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
  const pixels = size && readSmallPng(bytes, size)
  if (pixels === undefined) return null
  return isDrawing(spec) ? drawingInput(pixels, spec) : atOnce(photographInput(pixels, spec))
}

async function readLarge({ bytes, size: claimed }: Picture, spec: InputSpec, limits: DecodeLimits) {
  if (isDrawing(spec)) return drawingInput(await decodeDrawing(bytes, spec, limits), spec)
  const { pixels, size } = await decodePhotograph(bytes, claimed, spec, limits)
  return await inTurns(photographInput(pixels, spec, size))
}
