/** Bytes of magic, version and header together are a multiple of this. */
const ALIGNMENT = 64
/** The magic, two bytes of version, two of the header's length. */
const PREFIX_BYTES = 10

/** What precedes the values of a float32 array `[rows, columns]` in NumPy's format 1.0 (numpy.lib.format). */
export function npyHeader(rows: number, columns: number): Buffer {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`
  const length = Math.ceil((PREFIX_BYTES + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT
  const header = Buffer.alloc(length, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(length - PREFIX_BYTES, 8)
  header.write(dictionary, PREFIX_BYTES, 'latin1')
  header[length - 1] = 0x0a
  return header
}

export function valuesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
