import sharp, { type Sharp, type SharpOptions } from 'sharp'
import { ServeError } from '../errors.ts'
import { type DrawingSpec, type InputSpec, isDrawing, type PhotographSpec } from '../repository/input-spec.ts'
import type { ImageSize } from './image-size.ts'
import { resizedSize } from './photograph/geometry.ts'
import type { Pixels } from './pixels.ts'

/** With `fit: ink`, pictures are scaled down to this many times the model's size before the ink is searched. */
const SEARCH_SCALE = 4

/**
 * A photograph more than this many times larger than needed is reduced towards it by sharp, which is fast, before it is
 * resized as Pillow does it. docs/model.md says what that costs in likeness.
 */
const REDUCTION = 4
/** What sharp reduces, at most. From 4 on, libvips averages blocks first and libjpeg leaves pixels out: too little alike. */
const MOST_BY_SHARP = 3.9

/** Pixels of a PNG that is read on the event loop, at most: half a millisecond. */
const SMALL_PIXELS = 128 * 128

let configured = false

/**
 * sharp's settings hold for the process. One thread for each picture, since libuv's pool decodes several at once. No cache,
 * since uploads do not repeat. Only the loaders of the served formats, so that a hole in another decoder cannot be reached.
 */
export function configureSharp(): void {
  if (configured) return
  configured = true
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: ['Png', 'Jpeg', 'Webp'].map((format) => `VipsForeignLoad${format}Buffer`) })
}

export interface DecodeLimits {
  maxPixels: number
  timeoutS: number
}

/**
 * Decodes a PNG, JPEG or WebP on one of libuv's threads, upright, and scales it to the model's size or, with `fit: ink`,
 * near it. Rejects with `undecodable_image` or `image_too_large`.
 */
export async function decodeDrawing(bytes: Uint8Array, spec: DrawingSpec, limits: DecodeLimits): Promise<Pixels> {
  return await toPixels(scaledDrawing(open(bytes, limits).autoOrient(), spec), limits)
}

function scaledDrawing(pipeline: Sharp, { width, height, fit: mode }: DrawingSpec): Sharp {
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

/** What `photographInput` takes: the pixels as Pillow has them, and the picture's size before they were reduced. */
interface DecodedPhotograph {
  pixels: Pixels
  size?: ImageSize
}

/**
 * Decodes a PNG, JPEG or WebP on one of libuv's threads to the pixels that Pillow gives: colour profiles are ignored, CMYK
 * stays CMYK. A picture that is far larger than needed is reduced. `claimed` is what its header says. Rejects with
 * `undecodable_image` or `image_too_large`.
 */
export async function decodePhotograph(
  bytes: Uint8Array,
  claimed: ImageSize | undefined,
  spec: PhotographSpec,
  limits: DecodeLimits,
): Promise<DecodedPhotograph> {
  const pipeline = open(bytes, limits, { ignoreIcc: true, autoOrient: spec.orientation === 'exif' })
  if (claimed?.isCmyk) {
    const inks = pipeline.pipelineColourspace('cmyk').toColourspace('cmyk')
    return { pixels: { ...(await toPixels(inks, limits)), isCmyk: true } }
  }
  const size = claimed && mayBeReduced(claimed, spec) ? await opaqueSize(pipeline, spec, limits) : undefined
  if (spec.alpha === 'drop') pipeline.removeAlpha()
  if (size === undefined) return { pixels: await toPixels(pipeline, limits) }
  const how = { ...reducedSize(size, spec), fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false } as const
  return { pixels: await toPixels(pipeline.resize(how), limits), size }
}

/** Nothing is between the pixels that `nearest` picks, so they must be those of the picture. */
function mayBeReduced(size: ImageSize, spec: PhotographSpec): boolean {
  const { width, height } = resizedSize(size, spec.resize)
  return spec.interpolation !== 'nearest' && size.width * size.height > REDUCTION ** 2 * width * height
}

function reducedSize(size: ImageSize, { resize }: PhotographSpec): ImageSize {
  const scaled = resizedSize(size, resize)
  const reduced = (side: 'width' | 'height'): number =>
    Math.min(size[side], Math.max(scaled[side] * REDUCTION, Math.ceil(size[side] / MOST_BY_SHARP)))
  return { width: reduced('width'), height: reduced('height') }
}

/** Undefined where pixels are transparent: sharp mixes colours by their opacity, Pillow does not. */
async function opaqueSize(pipeline: Sharp, spec: PhotographSpec, limits: DecodeLimits): Promise<ImageSize | undefined> {
  const metadata = await orRefusal(pipeline.metadata(), limits)
  const { width, height } = spec.orientation === 'exif' ? metadata.autoOrient : metadata
  return metadata.hasAlpha ? undefined : { width, height }
}

/** A warning is what Pillow and browsers pass over too: stray bytes, odd versions, bad metadata. */
function open(bytes: Uint8Array, { maxPixels, timeoutS }: DecodeLimits, options: SharpOptions = {}): Sharp {
  return sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, ...options }).timeout({ seconds: timeoutS })
}

/** Runs the pipeline. Channels are sRGB's, or red, green, blue without a meaning; of 16 bits the upper eight stay. */
async function toPixels(pipeline: Sharp, limits: DecodeLimits): Promise<Pixels> {
  const output = pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  const { data, info } = await orRefusal(output, limits)
  return { data, width: info.width, height: info.height, channels: info.channels }
}

async function orRefusal<Result>(result: Promise<Result>, { maxPixels }: DecodeLimits): Promise<Result> {
  try {
    return await result
  } catch (error) {
    throw decodeError(error as Error, maxPixels)
  }
}

/** Whether a picture of this size is small, and is left as it is. */
export function needsNoScaling(size: ImageSize, spec: InputSpec): boolean {
  const { width, height } = size
  if (width * height > SMALL_PIXELS) return false
  if (!isDrawing(spec)) {
    const scaled = resizedSize(size, spec.resize)
    return width === scaled.width && height === scaled.height
  }
  if (spec.fit === 'ink') return width <= spec.width * SEARCH_SCALE && height <= spec.height * SEARCH_SCALE
  return width === spec.width && height === spec.height
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
