import fc from 'fast-check'

/** One change that a faulty network, disk or attacker could make to bytes. Positions are shares of the length. */
type Mutation =
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'cut'; at: number }
  | { kind: 'drop'; at: number; length: number }
  | { kind: 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'repeat'; at: number; length: number; times: number }

const at = fc.double({ min: 0, max: 1, noNaN: true })

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at }),
  fc.record({ kind: fc.constant('drop' as const), at, length: fc.nat(64) }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at, length: fc.nat(64), times: fc.nat(20) }),
)

/** `bytes` after a few changes. */
export function mutated(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc.tuple(bytes, fc.array(mutation, { maxLength: 4 })).map(([start, changes]) => changes.reduce(apply, start))
}

function apply(bytes: Buffer, change: Mutation): Buffer {
  const position = Math.floor(change.at * bytes.length)
  const [before, after] = [bytes.subarray(0, position), bytes.subarray(position)]
  switch (change.kind) {
    case 'flip': {
      const copy = Buffer.from(bytes)
      const index = Math.min(position, copy.length - 1)
      if (index >= 0) copy.writeUInt8(copy.readUInt8(index) ^ (1 << change.bit), index)
      return copy
    }
    case 'cut':
      return before
    case 'drop':
      return Buffer.concat([before, after.subarray(change.length)])
    case 'insert':
      return Buffer.concat([before, change.bytes, after])
    case 'repeat': {
      const piece = after.subarray(0, change.length)
      return Buffer.concat([before, ...Array.from({ length: change.times }, () => piece), after])
    }
  }
}
