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
