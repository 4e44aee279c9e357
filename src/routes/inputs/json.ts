import secureJson from 'secure-json-parse'
import { type Static, Type } from 'typebox'
import { ServeError } from '../../errors.ts'
import type { Limits } from '../services.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Nesting that a request can have: body, inputs, input, tensor, channel, row. */
const MAX_DEPTH = 16

const ImageInput = Type.Object(
  { image: Type.String({ description: 'PNG, JPEG or WebP as base64, or as a data: URL.' }) },
  { additionalProperties: false },
)
const TensorInput = Type.Object(
  {
    tensor: Type.Array(Type.Unknown(), { description: 'Normalised values, `[H][W]` or `[1][H][W]`.' }),
  },
  { additionalProperties: false },
)

export const JsonBodySchema = Type.Object(
  { inputs: Type.Array(Type.Union([ImageInput, TensorInput]), { minItems: 1 }) },
  { additionalProperties: false },
)

export function readJson(body: Static<typeof JsonBodySchema>, limits: Limits): RawInput[] {
  assertInputCount(body.inputs.length, limits.maxInputs)
  return body.inputs.map((input, index) => {
    if ('tensor' in input) return { tensor: input.tensor }
    try {
      return { image: decodeBase64(input.image) }
    } catch (error) {
      throw error instanceof ServeError ? error.atIndex(index) : error
    }
  })
}

/** Buffer.from skips what is not base64; a client that sends a file name or a URL should hear of it. */
function decodeBase64(text: string): Uint8Array {
  const base64 = (text.startsWith('data:') ? text.slice(text.indexOf(',') + 1) : text).replace(/\s/g, '')
  if (text.startsWith('data:') && !/^data:[^,]*;base64,/.test(text)) {
    throw new ServeError('malformed_body', 'a data: URL must be base64')
  }
  const bytes = Buffer.from(base64, 'base64')
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  if (bytes.length !== Math.floor(((base64.length - padding) * 3) / 4)) {
    throw new ServeError('malformed_body', 'the image is not base64')
  }
  return bytes
}

/**
 * JSON bytes to a value. Nesting is measured first, without parsing: deep nesting is cheap to send and dear to walk.
 * Throws `malformed_body` or `json_too_deep`.
 */
export function parseJson(bytes: Buffer): unknown {
  if (jsonDepth(bytes) > MAX_DEPTH) throw new ServeError('json_too_deep', `JSON nested deeper than ${MAX_DEPTH}`)
  if (bytes.length === 0) throw new ServeError('missing_input', 'the body is empty')
  try {
    return secureJson.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new ServeError('malformed_body', 'the body is not JSON', { cause: error })
  }
}

/** Deepest nesting of brackets outside strings. */
function jsonDepth(bytes: Buffer): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) deepest = Math.max(deepest, ++depth)
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--
  }
  return deepest
}

const [QUOTE, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('"\\[]{}')
