import { MAX_DEPTH, MAX_ENTRIES, MAX_NAME_LENGTH, MAX_OBJECTS } from './pickle-limits.ts'
import { PickleGlobal, PickleObject, type PickleValue, StorageReference } from './pickle-value.ts'

/** The stack, the marks on it and the memo that opcodes work on. */
export class PickleMachine {
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
