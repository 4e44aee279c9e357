import type { ByteCursor } from './byte-cursor.ts'
import { MAX_INTEGER_BYTES, MAX_NAME_LENGTH, MAX_OPCODES } from './pickle-limits.ts'
import { PickleMachine } from './pickle-machine.ts'
import { isCount, PickleGlobal, type PickleValue, StorageReference } from './pickle-value.ts'

/**
 * Reads one pickle, up to its STOP: the opcodes of protocols 2 to 5 (https://docs.python.org/3/library/pickletools.html)
 * without those that need a registry or buffers of the program. `storages` hears of every reference to a storage. Throws on what is
 * malformed, and beyond the bounds.
 */
export function readPickle(
  cursor: ByteCursor,
  storages: (reference: StorageReference) => void = () => {},
): PickleValue {
  const machine = new PickleMachine(storages)
  for (let count = 0; count < MAX_OPCODES; count++) {
    const opcode = cursor.byte()
    if (opcode === STOP) return machine.pop()
    const run = OPCODES.get(opcode)
    if (run === undefined) throw new Error(`opcode 0x${opcode.toString(16).padStart(2, '0')} is not read`)
    run(machine, cursor)
  }
  throw new Error(`more than ${MAX_OPCODES} opcodes`)
}

const STOP = 0x2e

/** In the order of pickletools.py. */
const OPCODES = new Map<number, (machine: PickleMachine, cursor: ByteCursor) => void>([
  [0x4a, (m, c) => m.push(c.take(4).readInt32LE())], // BININT
  [0x4b, (m, c) => m.push(c.byte())], // BININT1
  [0x4d, (m, c) => m.push(c.take(2).readUInt16LE())], // BININT2
  [0x8a, (m, c) => m.push(integer(c, c.byte()))], // LONG1
  [0x8b, (m, c) => m.push(integer(c, c.take(4).readUInt32LE()))], // LONG4
  [0x54, (m, c) => m.push(text(c, c.take(4).readUInt32LE()))], // BINSTRING
  [0x55, (m, c) => m.push(text(c, c.byte()))], // SHORT_BINSTRING
  [0x42, (m, c) => m.make(c.take(c.take(4).readUInt32LE()))], // BINBYTES
  [0x43, (m, c) => m.make(c.take(c.byte()))], // SHORT_BINBYTES
  [0x8e, (m, c) => m.make(c.take(length8(c)))], // BINBYTES8
  [0x96, (m, c) => m.make(c.take(length8(c)))], // BYTEARRAY8
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x58, (m, c) => m.push(text(c, c.take(4).readUInt32LE()))], // BINUNICODE
  [0x8c, (m, c) => m.push(text(c, c.byte()))], // SHORT_BINUNICODE
  [0x8d, (m, c) => m.push(text(c, length8(c)))], // BINUNICODE8
  [0x47, (m, c) => m.push(c.take(8).readDoubleBE())], // BINFLOAT
  [0x5d, (m) => m.make([])], // EMPTY_LIST
  [0x61, (m) => m.append(m.popMany(1))], // APPEND
  [0x65, (m) => m.append(m.popMark())], // APPENDS
  [0x29, (m) => m.make([])], // EMPTY_TUPLE
  [0x74, (m) => m.make(m.popMark())], // TUPLE
  [0x85, (m) => m.make(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.make(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.make(m.popMany(3))], // TUPLE3
  [0x7d, (m) => m.make(new Map())], // EMPTY_DICT
  [0x73, (m) => m.setItems(m.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
  [0x8f, (m) => m.make(new Set())], // EMPTY_SET
  [0x90, (m) => m.append(m.popMark())], // ADDITEMS
  [0x91, (m) => m.make(new Set(m.popMark()))], // FROZENSET
  [0x30, (m) => m.pop()], // POP
  [0x31, (m) => m.popMark()], // POP_MARK
  [0x28, (m) => m.mark()], // MARK
  [0x68, (m, c) => m.get(c.byte())], // BINGET
  [0x6a, (m, c) => m.get(c.take(4).readUInt32LE())], // LONG_BINGET
  [0x71, (m, c) => m.put(c.byte())], // BINPUT
  [0x72, (m, c) => m.put(c.take(4).readUInt32LE())], // LONG_BINPUT
  [0x94, (m) => m.put()], // MEMOIZE
  [0x63, (m, c) => m.global(c.line(MAX_NAME_LENGTH), c.line(MAX_NAME_LENGTH))], // GLOBAL
  [0x93, (m) => m.global(...(m.popMany(2) as [PickleValue, PickleValue]))], // STACK_GLOBAL
  [0x52, (m) => m.call(...(m.popMany(2) as [PickleValue, PickleValue]))], // REDUCE
  [0x62, (m) => m.build()], // BUILD
  [0x81, (m) => m.call(...(m.popMany(2) as [PickleValue, PickleValue]))], // NEWOBJ
  [0x92, (m) => m.call(...(m.popMany(3).slice(0, 2) as [PickleValue, PickleValue]))], // NEWOBJ_EX: nothing asks for keywords
  [0x80, (_, c) => void c.byte()], // PROTO
  [0x95, (_, c) => void c.take(8)], // FRAME
  [0x51, (m) => m.refer(persistent(m.pop()))], // BINPERSID
])

/** Python 2 wrote names as bytes. */
function text(cursor: ByteCursor, length: number): string {
  return cursor.take(length).toString()
}

/** Two's complement, little-endian. */
function integer(cursor: ByteCursor, length: number): number | bigint {
  if (length > MAX_INTEGER_BYTES) throw new Error(`an integer of ${length} bytes`)
  const hex = Buffer.from(cursor.take(length)).reverse().toString('hex')
  const value = BigInt.asIntN(length * 8, BigInt(`0x0${hex}`))
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** What is rounded here is beyond the end of every file. */
function length8(cursor: ByteCursor): number {
  return Number(cursor.take(8).readBigUInt64LE())
}

/**
 * `('storage', class, key, device, elements)`; the legacy form has a sixth member, `(key of the view, offset, elements)` or
 * None, and `('module', class, file, source)`, which stands for the class.
 */
function persistent(id: PickleValue): PickleGlobal | StorageReference {
  const [type, storageClass, key, , elements, view] = Array.isArray(id) ? id : []
  if (type === 'module' && storageClass instanceof PickleGlobal) return storageClass
  if (type !== 'storage' || !(storageClass instanceof PickleGlobal))
    throw new Error('a reference to what is no storage')
  const [, offset, size] = Array.isArray(view) ? view : [key, 0, elements]
  if (typeof key !== 'string' || !isCount(offset) || !isCount(size))
    throw new Error('a reference to a malformed storage')
  return new StorageReference(storageClass.name, key, size, offset)
}
