import util from 'node:util'

/** tfjs-node 4.22 calls two functions that Node 23 removed; call this before it is loaded. */
export function defineRemovedUtilities(): void {
  const target = util as unknown as Record<string, unknown>
  target.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  target.isArray ??= Array.isArray
}
