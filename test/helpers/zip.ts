import { deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  /** Any text: yazl refuses the names that a test needs. */
  name: string
  content: Uint8Array
  deflate?: boolean
  /** What the directory says of the content's size, if not the truth. */
  claims?: number
}

/** A zip of these files, with checksums of 0, which no reader here looks at. */
export function zip(entries: ZipEntry[]): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, deflate = false, claims = content.length } of entries) {
    const stored = deflate ? deflateRawSync(content) : content
    // Version, flags, method, time, date, crc, sizes, lengths of the name and of the extra field.
    const header = Buffer.alloc(26)
    header.writeUInt16LE(20, 0)
    header.writeUInt16LE(deflate ? 8 : 0, 4)
    header.writeUInt32LE(deflate ? stored.length : claims, 14)
    header.writeUInt32LE(claims, 18)
    header.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), header, Buffer.from(name), stored])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    files.push(local)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\0\0'), header, place, Buffer.from(name)]))
    offset += local.length
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(Buffer.concat(directory).length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...files, ...directory, Buffer.from('PK\x05\x06'), end])
}
