import { type ErrorFormat, problemFormat } from '../routes/error-format.ts'
import { openInferenceFormat } from '../routes/open-inference/error.ts'

/** The form of errors under each path. The first that matches counts; every other path has problem details. */
const FORMATS: [path: RegExp, format: ErrorFormat][] = [[/^\/v2([/?]|$)/, openInferenceFormat]]

/** By path and not by route, since what no route matches has an error too. */
export function errorFormatOf(url: string): ErrorFormat {
  return FORMATS.find(([path]) => path.test(url))?.[1] ?? problemFormat
}
