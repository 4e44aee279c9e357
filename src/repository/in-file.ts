import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** The bytes of the file. Throws if model.json has another sha256 for it. */
export function readHashed(path: string, expected: string): Buffer {
  const file = readFileSync(path)
  const sha256 = createHash('sha256').update(file).digest('hex')
  if (sha256 !== expected) throw new Error(`sha256 is ${sha256}, model.json says ${expected}`)
  return file
}

/** Runs `read`. An error that it throws is given the path of the file. */
export function inFile<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw fileError(path, error)
  }
}

export function fileError(path: string, error: unknown): Error {
  return new Error(`${path}: ${(error as Error).message}`, { cause: error })
}
