/**
 * IEEE 754 half precision: Node has no Float16Array before version 24. Decoding uses a table of all 65,536 values: 11
 * million weights take about 20 ms.
 */
let table: Float32Array | undefined

function decodeTable(): Float32Array {
  if (table) return table
  table = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24
    else if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return table
}

export function float16ToFloat32(half: Uint16Array): Float32Array {
  const lookup = decodeTable()
  const out = new Float32Array(half.length)
  for (let i = 0; i < half.length; i++) out[i] = lookup[half[i] as number] as number
  return out
}

/** Rounds to nearest, ties to even. Values from 65520 become infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = encode(values[i] as number)
  return out
}

function encode(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude >= 65520) return sign | 0x7c00
  if (magnitude < 2 ** -14) return sign | roundTiesToEven(magnitude * 2 ** 24)
  const exponent = Math.floor(Math.log2(magnitude))
  // If the fraction rounds up to 1024, the carry increments the exponent, which is the correct result.
  return sign | (((exponent + 15) << 10) + roundTiesToEven((magnitude / 2 ** exponent - 1) * 1024))
}

function roundTiesToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1
  return floor
}

/** The upper half of each float32, rounded to nearest, ties to even. Of finite values alone. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
}

export function bfloat16ToFloat32(upper: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(upper, (half) => half << 16).buffer)
}
