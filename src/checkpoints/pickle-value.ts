/**
 * A value of a pickle. What a pickle asks Python to call is an inert record of the name and the arguments: nothing is looked
 * up, and nothing runs. Integers beyond 2^53 are bigints, lists and tuples are arrays, and dicts are Maps, so that no key means
 * anything to JavaScript.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | Set<PickleValue>
  | PickleGlobal
  | PickleObject
  | StorageReference

export type PickleDict = Map<PickleValue, PickleValue>

/** A class or function of Python. */
export class PickleGlobal {
  /** `module.name`. */
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** What calling a class or function with arguments would give. */
export class PickleObject {
  /** `module.name` of the class or function. */
  readonly class: string
  readonly args: PickleValue[]
  /** What `__setstate__` would take. */
  state: PickleValue = null
  /** What `object[key] = value` would set, as in an OrderedDict. */
  items: PickleDict | undefined
  /** What `append` or `add` would take. */
  elements: PickleValue[] | undefined

  constructor(name: string, args: PickleValue[]) {
    this.class = name
    this.args = args
  }
}

/** PyTorch's `persistent_id`: values that lie outside of the pickle. */
export class StorageReference {
  /** `module.name`, as in 'torch.FloatStorage'. */
  readonly class: string
  readonly key: string
  /** Number of values; of bytes in an UntypedStorage. */
  readonly elements: number
  /** The value of the stored ones at which this storage begins: very old files have views of storages. */
  readonly offset: number

  constructor(name: string, key: string, elements: number, offset: number) {
    this.class = name
    this.key = key
    this.elements = elements
    this.offset = offset
  }
}

/** The items of a dict of any class: dict, OrderedDict, defaultdict, Counter and what derives from them. */
export function asDict(value: PickleValue | undefined): PickleDict | undefined {
  if (value instanceof Map) return value
  if (!(value instanceof PickleObject)) return undefined
  if (value.items !== undefined) return value.items
  if (value.class !== 'collections.OrderedDict') return undefined
  // Python 2 wrote OrderedDict([[key, value], ...]).
  const [pairs] = value.args
  return new Map(
    Array.isArray(pairs)
      ? pairs.filter((pair) => Array.isArray(pair)).map(([key, item]) => [key as PickleValue, item as PickleValue])
      : [],
  )
}

/** The values of a set, which before protocol 4 is a call of `set`. */
export function asSet(value: PickleValue | undefined): Set<PickleValue> {
  if (value instanceof Set) return value
  const [values] = value instanceof PickleObject ? value.args : []
  return new Set(Array.isArray(values) ? values : [])
}

/** An object's attributes. Of classes with slots the state is `[attributes, slots]`. */
export function attributesOf(object: PickleObject): PickleDict | undefined {
  const { state } = object
  return asDict(Array.isArray(state) ? state[0] : state)
}

/** A number of values, or a place among them, that no arithmetic has rounded. */
export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** For people: 'None', 'a number', 'a dict of 2', 'a custom.Thing'. */
export function describe(value: PickleValue): string {
  if (value === null) return 'None'
  if (typeof value === 'number' || typeof value === 'bigint') return 'a number'
  if (typeof value === 'string') return 'text'
  if (typeof value === 'boolean') return 'a bool'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof Set) return `a set of ${value.size}`
  if (value instanceof PickleGlobal) return `the class ${printable(value.name)}`
  if (value instanceof StorageReference) return 'a storage without a shape'
  if (value instanceof Map) return `a dict of ${value.size}`
  if (value.class.startsWith('collections.')) return `a dict of ${asDict(value)?.size ?? 0}`
  return `${/^[aeiou]/i.test(value.class) ? 'an' : 'a'} ${printable(value.class)}`
}

/** Of what else a file holds; nobody reads on. */
export const MAX_LINES = 100

/** Names in a file may be anything: what a terminal would act on, and what is long, is left out. */
export function printable(text: string, length = 80): string {
  return text.slice(0, length).replace(/\p{C}/gu, '?')
}
