import util from 'node:util'

/** Restores two functions that tfjs-node 4.22 calls and Node 23 removed. Call it before tfjs-node is loaded. */
export function defineRemovedUtilities(): void {
  const target = util as unknown as Record<string, unknown>
  target.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  target.isArray ??= Array.isArray
}
