import { ServeError } from '../errors.ts'

/** Bytes to look at. SVG and PDF may start with other text (PDF 1.7, H.3, note 13). */
const HEAD_BYTES = 1024

export type ImageFormat = 'png' | 'jpeg' | 'webp'

/** Decoded formats by their first bytes. WebP has its length between `RIFF` and `WEBP`. */
const DECODED: [ImageFormat, (head: string) => boolean][] = [
  ['png', (head) => head.startsWith('\x89PNG\r\n\x1a\n')],
  ['jpeg', (head) => head.startsWith('\xff\xd8\xff')],
  ['webp', (head) => head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP'],
]

/** Other common formats. They are refused by name, so that the client knows what to change. */
const REFUSED: [string, (head: string) => boolean][] = [
  ['GIF', (head) => head.startsWith('GIF8')],
  ['TIFF', (head) => /^(II[*+]\0|MM\0[*+])/.test(head)],
  ['BMP', (head) => head.startsWith('BM')],
  ['PDF', (head) => head.includes('%PDF-')],
  ['HEIF or AVIF', (head) => head.slice(4, 8) === 'ftyp'],
  ['JPEG XL', (head) => head.startsWith('\xff\x0a') || head.slice(4, 8) === 'JXL '],
  ['JPEG 2000', (head) => head.startsWith('\xff\x4f\xff\x51') || head.slice(4, 8) === 'jP  '],
  ['Photoshop', (head) => head.startsWith('8BPS')],
  ['SVG or XML', (head) => /^(\xef\xbb\xbf)?\s*<(\?xml|!doctype|!--|svg)/i.test(head)],
  ['SVG or XML', (head) => head.startsWith('\xff\xfe<\0') || head.startsWith('\xfe\xff\0<')],
  ['gzip', (head) => head.startsWith('\x1f\x8b')],
]

/**
 * The format by content alone; clients declare wrong types. Throws `unsupported_image_format` for a known format that is
 * not decoded, `undecodable_image` for anything else.
 */
export function formatOf(bytes: Uint8Array): ImageFormat {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString('latin1')
  const decoded = DECODED.find(([, matches]) => matches(head))
  if (decoded) return decoded[0]
  const refused = REFUSED.find(([, matches]) => matches(head))
  if (refused) {
    throw new ServeError('unsupported_image_format', `${refused[0]} is not supported; send PNG, JPEG or WebP`)
  }
  throw new ServeError('undecodable_image', bytes.length === 0 ? 'the image is empty' : 'the bytes are not an image')
}
