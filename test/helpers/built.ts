import { fileURLToPath } from 'node:url'

/**
 * The compiled form of a file of src/: a process started from it is there in a third of the time that tsx takes. It is
 * as new as its source, since `build-once.ts` has run before the tests.
 */
const built = (source: string): URL => new URL(`../../dist/${source.replace(/\.ts$/, '.js')}`, import.meta.url)

export const builtPath = (source: string): string => fileURLToPath(built(source))

/** The engine process as it ships. */
export const ENGINE_PROCESS = built('workers/main.ts')
