/** Opcodes of pickles, to put together what no library would write. https://docs.python.org/3/library/pickletools.html */
export const [MARK, STOP, REDUCE, BUILD, PERSISTENT, NONE] = ['(', '.', 'R', 'b', 'Q', 'N'] as const
export const [LIST, APPEND, APPENDS, DICT, SETITEM, SETITEMS] = [']', 'a', 'e', '}', 's', 'u'] as const
export const [EMPTY_TUPLE, TUPLE, TUPLE1, MEMOIZE, FALSE] = [')', 't', '\x85', '\x94', '\x89'] as const

type Code = string | Uint8Array

export const join = (...codes: Code[]): Buffer =>
  Buffer.concat(codes.map((code) => (typeof code === 'string' ? Buffer.from(code, 'latin1') : code)))

export const pickle = (...codes: Code[]): Buffer => join('\x80\x02', ...codes, STOP)

export function int(value: number): Buffer {
  const code = Buffer.from('J\0\0\0\0')
  code.writeInt32LE(value, 1)
  return code
}

export function text(value: string): Buffer {
  const code = Buffer.from('X\0\0\0\0')
  code.writeUInt32LE(Buffer.byteLength(value), 1)
  return Buffer.concat([code, Buffer.from(value)])
}

export const global = (module: string, name: string): string => `c${module}\n${name}\n`

export const tuple = (...members: Code[]): Buffer => join(MARK, ...members, TUPLE)

export const call = (callee: Code, ...args: Code[]): Buffer => join(callee, tuple(...args), REDUCE)

export const list = (...members: Code[]): Buffer => join(LIST, MARK, ...members, APPENDS)

export const dict = (items: Record<string, Code>): Buffer =>
  join(DICT, MARK, ...Object.entries(items).flatMap(([key, value]) => [text(key), value]), SETITEMS)

export interface FloatTensor {
  key?: string
  elements?: number
  offset?: number
  size: number[]
  stride: number[]
}

/** `_rebuild_tensor_v2` of a FloatStorage. */
export function tensor({ key = '0', elements = 4, offset = 0, size, stride }: FloatTensor): Buffer {
  const id = tuple(text('storage'), global('torch', 'FloatStorage'), text(key), text('cpu'), int(elements))
  const ints = (values: number[]): Buffer => tuple(...values.map(int))
  const args = [join(id, PERSISTENT), int(offset), ints(size), ints(stride), FALSE, NONE]
  return call(global('torch._utils', '_rebuild_tensor_v2'), ...args)
}
