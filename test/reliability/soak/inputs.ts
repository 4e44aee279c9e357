import { randomBytes } from 'node:crypto'

/** Bytes of one input of the default model, 28 x 28. */
const ITEM_BYTES = 28 * 28 * 4

/** Inputs that no two requests share, since identical ones in flight are computed once. */
export function tensors(count = 1): Buffer {
  const body = Buffer.alloc(count * ITEM_BYTES)
  for (let i = 0; i < count; i++) {
    // Any 24 bits are a finite float32 while the exponent's bits stay clear of all ones.
    randomBytes(3).copy(body, i * ITEM_BYTES)
    randomBytes(3).copy(body, i * ITEM_BYTES + 4)
  }
  return body
}

export const TENSORS = 'application/octet-stream'
