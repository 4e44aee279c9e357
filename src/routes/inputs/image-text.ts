import { ServeError, toServeError } from '../../errors.ts'
import type { RawInput } from './raw-input.ts'

/** The bytes of an image that JSON holds as base64 or as a data: URL. Throws `malformed_body`. */
export function readImageText(text: string): Uint8Array {
  const scheme = /^\s*([a-z][a-z0-9+.-]{0,20}):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return decodeBase64(text)
  if (scheme === 'data') return readDataUrl(text)
  throw new ServeError('malformed_body', 'URLs are not fetched; send the image as base64 or as a data: URL')
}

/** The same as an input. An image whose text is none is that input's failure, not the request's. */
export function readImageInput(text: string): RawInput {
  try {
    return { image: readImageText(text) }
  } catch (error) {
    return { error: toServeError(error, 'internal', 'the image could not be read') }
  }
}

/**
 * By the rules that browsers follow (fetch.spec.whatwg.org/#data-urls), but that nobody asks for the type: content decides.
 * What keeps to these rules to the letter takes seconds for 16 MB, since it parses all of it as a URL first.
 */
function readDataUrl(url: string): Uint8Array {
  const end = url.indexOf('#')
  const comma = url.indexOf(',')
  if (comma < 0 || (end >= 0 && end < comma)) {
    throw new ServeError('malformed_body', 'a data: URL must have a comma in front of its data')
  }
  const data = url.slice(comma + 1, end < 0 ? undefined : end)
  if (!/;\s*base64\s*$/i.test(url.slice(0, comma))) return percentDecode(data.trimEnd())
  return decodeBase64(data.includes('%') ? percentDecode(data).toString('latin1') : data)
}

/** A percent sign that no two hexadecimal digits follow stands for itself; line breaks and tabs are no part of a URL. */
function percentDecode(text: string): Buffer {
  const bytes = withoutBreaks(Buffer.from(text))
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    const high = bytes[i] === PERCENT ? hexDigit(bytes[i + 1]) : -1
    const low = high >= 0 ? hexDigit(bytes[i + 2]) : -1
    bytes[length++] = low >= 0 ? high * 16 + low : (bytes[i] as number)
    if (low >= 0) i += 2
  }
  return bytes.subarray(0, length)
}

/** In place. */
function withoutBreaks(bytes: Buffer): Buffer {
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (byte !== TAB && byte !== LINE_FEED && byte !== CARRIAGE_RETURN) bytes[length++] = byte
  }
  return bytes.subarray(0, length)
}

/** Its value, or -1. */
function hexDigit(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** Buffer.from skips what is not base64; a client that sends a file name should hear of it. */
function decodeBase64(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length !== Math.floor((countDigits(base64) * 3) / 4)) {
    throw new ServeError('malformed_body', 'the image is not base64')
  }
  return bytes
}

/**
 * Characters that are neither white space nor padding. Counted, since to take white space out by an expression holds up
 * the event loop for a second where there is much of it.
 */
function countDigits(base64: string): number {
  let digits = 0
  for (let i = 0; i < base64.length; i++) {
    const code = base64.charCodeAt(i)
    if (code !== SPACE && code !== EQUALS && (code < TAB || code > CARRIAGE_RETURN)) digits++
  }
  return digits
}

// ASCII.
const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
const PERCENT = 0x25
const EQUALS = 0x3d
