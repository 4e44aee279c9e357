import { InvalidArgumentError } from 'commander'

/** One of several machines that share a list of pictures. */
export interface Shard {
  /** From 0. */
  index: number
  count: number
}

/** Reads `i/n`. */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? []
  if (index === undefined || Number(index) >= Number(count)) {
    throw new InvalidArgumentError('i/n is needed, with i from 0 to n - 1.')
  }
  return { index: Number(index), count: Number(count) }
}

/** Every n-th of a sorted list, from the i-th on: all machines must see the same files. */
export function takeShard(paths: string[], { index, count }: Shard): string[] {
  return paths.filter((_, i) => i % count === index)
}
