import secureJson from 'secure-json-parse'
import { type Static, Type } from 'typebox'
import { ServeError } from '../../errors.ts'
import type { Limits } from '../services.ts'
import { readImageInput } from './image-text.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Nesting that a request can have: body, inputs, input, tensor, channel, row. */
const MAX_DEPTH = 16
/** Making an array or an object costs as much as parsing this many numbers. */
const VALUES_PER_CONTAINER = 10

const ImageInput = Type.Object(
  { image: Type.String({ description: 'PNG, JPEG or WebP as base64, or as a data: URL.' }) },
  { additionalProperties: false },
)
const TensorInput = Type.Object(
  {
    tensor: Type.Array(Type.Unknown(), {
      description: 'Normalised values, `[C][H][W]`; `[H][W]` where the model has one channel.',
    }),
  },
  { additionalProperties: false },
)

/** For the API's description: a white bar on black, 28 x 28. */
export const EXAMPLE_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAMAAABF0y+mAAAABlBMVEUAAAD///+l2Z/dAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAF0lEQVQoz2NgGAVkAEYogDPAnFEwrAEAKYYAFRcfjjcAAAAASUVORK5CYII='

export const JsonBodySchema = Type.Object(
  { inputs: Type.Array(Type.Union([ImageInput, TensorInput]), { minItems: 1 }) },
  {
    additionalProperties: false,
    examples: [{ inputs: [{ image: EXAMPLE_PNG }, { image: `data:image/png;base64,${EXAMPLE_PNG}` }] }],
  },
)

export function readJson(body: Static<typeof JsonBodySchema>, { maxInputs }: Pick<Limits, 'maxInputs'>): RawInput[] {
  assertInputCount(body.inputs.length, maxInputs)
  return body.inputs.map((input) => ('tensor' in input ? { tensor: input.tensor } : readImageInput(input.image)))
}

/**
 * Parses JSON. Parsing blocks the event loop, so a pass that allocates nothing first measures what makes it slow.
 * Throws `malformed_body`, `missing_input`, `json_too_deep` or `payload_too_large`.
 */
export function parseJson(bytes: Buffer, { maxJsonValues }: Pick<Limits, 'maxJsonValues'>): unknown {
  const { depth, values } = measureJson(bytes, maxJsonValues)
  if (depth > MAX_DEPTH) throw new ServeError('json_too_deep', `JSON nested deeper than ${MAX_DEPTH}`)
  if (values > maxJsonValues) {
    const detail = `JSON of more than ${maxJsonValues} values; send tensors as application/octet-stream`
    throw new ServeError('payload_too_large', detail)
  }
  if (bytes.length === 0) throw new ServeError('missing_input', 'the body is empty')
  try {
    return secureJson.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new ServeError('malformed_body', 'the body is not JSON', { cause: error })
  }
}

/**
 * Deepest nesting of brackets outside strings, and about how many values there are, a quote counting as one and an array
 * or object as ten. Stops where either is too much.
 */
function measureJson(bytes: Buffer, maxValues: number): { depth: number; values: number } {
  let open = 0
  let depth = 0
  let values = 0
  for (let i = 0; i < bytes.length && depth <= MAX_DEPTH && values <= maxValues; i++) {
    const byte = bytes[i]
    if (byte === COMMA) values++
    else if (byte === QUOTE) {
      // To the end of the string, by a search that is far faster than this loop.
      do {
        i = bytes.indexOf(QUOTE, i + 1)
        values++
      } while (i >= 0 && isEscaped(bytes, i) && values <= maxValues)
      if (i < 0) break
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      values += VALUES_PER_CONTAINER
      depth = Math.max(depth, ++open)
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) open--
  }
  return { depth, values }
}

/** Whether an odd number of backslashes stands before this quote. */
function isEscaped(bytes: Buffer, quote: number): boolean {
  let backslashes = 0
  while (bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

// ASCII.
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
