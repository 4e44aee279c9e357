import type { ByteCursor } from './byte-cursor.ts'
import { PickleGlobal, PickleObject, type PickleValue, StorageReference } from './pickle-value.ts'

/*
 * The bounds. What a ResNet-152 and its optimizer leave in a checkpoint has 100 KB, 50,000 opcodes and 15,000 objects.
 * Strings and integers take no more memory than the bytes that they are read from, twice over.
 */

/** Bounds strings and byte arrays. */
export const MAX_PICKLE_BYTES = 2 ** 26
/** Bounds the time, to about a second, and what lists and dicts grow to: an entry takes an opcode. */
const MAX_OPCODES = 5_000_000
/** An empty dict is one byte of a pickle, and 300 in memory once it was looked through. */
const MAX_OBJECTS = 200_000
/** Of the stack, and of the memo: an entry is one byte of a pickle, and 8 in memory. */
const MAX_ENTRIES = 1_000_000
/** Python's own limit on recursion, so its pickler nests no deeper. */
export const MAX_DEPTH = 1000
/** The most that LONG1 can hold. What takes LONG4 counts nothing. */
const MAX_INTEGER_BYTES = 255
/** Of classes, and of tensors with the names of all modules around them. */
export const MAX_NAME_LENGTH = 1000

/**
 * Reads one pickle, up to its STOP: the opcodes of protocols 2 to 5 (https://docs.python.org/3/library/pickletools.html)
 * without those that need a registry or buffers of the program. `storages` hears of every reference to a storage. Throws on what is
 * malformed, and beyond the bounds.
 */
export function readPickle(
  cursor: ByteCursor,
  storages: (reference: StorageReference) => void = () => {},
): PickleValue {
  const machine = new Machine(storages)
  for (let count = 0; count < MAX_OPCODES; count++) {
    const opcode = cursor.byte()
    if (opcode === STOP) return machine.pop()
    const run = OPCODES.get(opcode)
    if (run === undefined) throw new Error(`opcode 0x${opcode.toString(16).padStart(2, '0')} is not read`)
    run(machine, cursor)
  }
  throw new Error(`more than ${MAX_OPCODES} opcodes`)
}

/** The stack, the marks on it and the memo that opcodes work on. */
class Machine {
  readonly #stack: PickleValue[] = []
  /** Heights of the stack. */
  readonly #marks: number[] = []
  readonly #memo: PickleValue[] = []
  readonly #storages: (reference: StorageReference) => void
  #objects = 0

  constructor(storages: (reference: StorageReference) => void) {
    this.#storages = storages
  }

  push(value: PickleValue): void {
    if (this.#stack.push(value) > MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} values on its stack`)
  }

  /** Pushes a value that takes memory of its own. */
  make(value: PickleValue): void {
    if (++this.#objects > MAX_OBJECTS) throw new Error(`more than ${MAX_OBJECTS} objects`)
    this.push(value)
  }

  pop(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new Error('a value is missing on its stack')
    return this.#stack.pop() as PickleValue
  }

  /** The last `count` values, off the stack. */
  popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  top(): PickleValue {
    const value = this.pop()
    this.#stack.push(value)
    return value
  }

  mark(): void {
    if (this.#marks.push(this.#stack.length) > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} levels`)
  }

  /** The values above the last mark, and the mark, off the stack. */
  popMark(): PickleValue[] {
    const height = this.#marks.pop()
    if (height === undefined) throw new Error('a mark is missing on its stack')
    return this.#stack.splice(height)
  }

  /** Without `index` at the next free place. */
  put(index = this.#memo.length): void {
    if (index >= MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} values in its memo`)
    this.#memo[index] = this.top()
  }

  get(index: number): void {
    const value = this.#memo[index]
    if (value === undefined) throw new Error(`value ${index} is missing in its memo`)
    this.push(value)
  }

  /** The class or function, which must be text. */
  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw new Error('the name of a class is no text')
    // Two long texts of the memo, joined again and again, would take many times the bytes of the pickle.
    if (module.length + name.length > 2 * MAX_NAME_LENGTH) throw new Error('the name of a class is too long')
    this.make(new PickleGlobal(`${module}.${name}`))
  }

  /** What `callee(...args)` would give. */
  call(callee: PickleValue, args: PickleValue): void {
    const name = callee instanceof PickleGlobal ? callee.name : 'value of a function that another one gives'
    this.make(new PickleObject(name, Array.isArray(args) ? args : [args]))
  }

  refer(value: PickleGlobal | StorageReference): void {
    this.make(value)
    if (value instanceof StorageReference) this.#storages(value)
  }

  build(): void {
    const state = this.pop()
    const target = this.top()
    // Nothing here asks for the attributes of what is no object.
    if (target instanceof PickleObject) target.state = state
  }

  append(values: PickleValue[]): void {
    const target = this.top()
    if (target instanceof PickleObject) target.elements ??= []
    const list = target instanceof PickleObject ? target.elements : target
    if (Array.isArray(list)) for (const value of values) list.push(value)
    else if (list instanceof Set) for (const value of values) list.add(value)
    else throw new Error('values are appended to what is no list')
  }

  setItems(keysAndValues: PickleValue[]): void {
    const target = this.top()
    if (target instanceof PickleObject) target.items ??= new Map()
    const dict = target instanceof PickleObject ? target.items : target
    if (!(dict instanceof Map)) throw new Error('keys are set in what is no dict')
    if (keysAndValues.length % 2 !== 0) throw new Error('a key has no value')
    for (let i = 0; i < keysAndValues.length; i += 2) {
      dict.set(keysAndValues[i] as PickleValue, keysAndValues[i + 1] as PickleValue)
    }
  }
}

const STOP = 0x2e

/** In the order of pickletools.py. */
const OPCODES = new Map<number, (machine: Machine, cursor: ByteCursor) => void>([
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

export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
