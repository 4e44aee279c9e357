import sharp, { type Sharp } from 'sharp'
import { ServeError } from '../errors.ts'
import type { InputSpec } from '../repository/manifest.ts'
import type { GreyPicture } from './grey-picture.ts'
import type { ImageSize } from './image-size.ts'
import { toGrey } from './to-grey.ts'

/** With `fit: ink`, pictures are scaled down to this many times the model's size before the ink is searched. */
const SEARCH_SCALE = 4

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

interface DecodeLimits {
  maxPixels: number
  timeoutS: number
}

/**
 * Decodes a PNG, JPEG or WebP on one of libuv's threads, and scales it to the model's size or, with `fit: ink`, near it.
 * Rejects with `undecodable_image` or `image_too_large`.
 */
export async function decodeGrey(
  bytes: Uint8Array,
  spec: InputSpec,
  { maxPixels, timeoutS }: DecodeLimits,
): Promise<GreyPicture> {
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

/** Whether a picture of this size is left as it is. */
export function needsNoScaling({ width, height }: ImageSize, spec: InputSpec): boolean {
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
