import protobuf from 'protobufjs'
import { ServeError } from '../../errors.ts'
import type { Limits } from '../services.ts'

/** What a field costs that becomes an object or a view of bytes, in numbers. The same as `MAX_JSON_VALUES` has it. */
const VALUES_PER_FIELD = 10

/** How many bytes a number of these types takes at least. */
const LEAST_BYTES: Record<string, number> = { float: 4, fixed32: 4, sfixed32: 4, double: 8, fixed64: 8, sfixed64: 8 }

const [VARINT, FIXED64, LENGTH, , , FIXED32] = [0, 1, 2, 3, 4, 5]

/**
 * The message in these bytes, as the plain object of its fields. A first pass that makes no objects counts what they would
 * become: two bytes can be an object. Throws `malformed_body` or `payload_too_large`.
 */
export function decodeMessage(
  type: protobuf.Type,
  bytes: Uint8Array,
  { maxJsonValues }: Pick<Limits, 'maxJsonValues'>,
): protobuf.Message {
  try {
    const reader = protobuf.Reader.create(bytes)
    if (countValues(reader, reader.len, type, maxJsonValues) < 0) throw tooLarge(maxJsonValues)
    return type.decode(bytes)
  } catch (error) {
    if (error instanceof ServeError) throw error
    throw new ServeError('malformed_body', `these bytes are no ${type.name}`, { cause: error })
  }
}

/** What is left of `budget` after the fields up to `end`; stops where that is less than nothing. */
function countValues(reader: protobuf.Reader, end: number, type: protobuf.Type | null, budget: number): number {
  let left = budget
  while (reader.pos < end) {
    const tag = reader.uint32()
    left -= VALUES_PER_FIELD
    if ((tag & 7) === LENGTH) {
      const field = type?.fieldsById[tag >>> 3]
      const length = reader.uint32()
      const stop = reader.pos + length
      if (stop > end) throw new RangeError('a field is longer than its message')
      // A map's entry is a message that is not listed as one: its fields are counted as they are.
      const inner = field?.resolvedType instanceof protobuf.Type ? field.resolvedType : null
      if (inner !== null || field?.map) left = countValues(reader, stop, field?.map ? null : inner, left)
      else {
        if (field?.repeated && field.type in protobuf.types.packed) left -= length / (LEAST_BYTES[field.type] ?? 1)
        reader.pos = stop
      }
      if (left >= 0 && reader.pos !== stop) throw new RangeError('a field is longer than its message')
    } else if ((tag & 7) === VARINT) reader.skip()
    else if ((tag & 7) === FIXED64) reader.skip(8)
    else if ((tag & 7) === FIXED32) reader.skip(4)
    // Groups are of proto2. Their fields are counted as if they were the message's own.
    if (left < 0) break
  }
  return left
}

function tooLarge(maxValues: number): ServeError {
  return new ServeError('payload_too_large', `more than ${maxValues} values; send tensors as raw_input_contents`)
}
