import { type ErrorFormat, problemFormat } from '../routes/error-format.ts'
import { openInferenceFormat } from '../routes/open-inference/error.ts'
import { openaiFormat } from '../routes/openai/error.ts'
import { tensorflowServingFormat } from '../routes/tensorflow-serving.ts'
import { torchServeFormat } from '../routes/torchserve.ts'

/** The form of errors under each path. The first that matches counts; every other path has problem details. */
const FORMATS: [path: RegExp, format: ErrorFormat][] = [
  [/^\/v2(\/|\?|$)/, openInferenceFormat],
  [/^\/v1\/models\/[^?]*(:|%3a)predict\/?(\?|$)/i, tensorflowServingFormat],
  [/^\/v1(\/|\?|$)/, openaiFormat],
  [/^\/(predictions|ping)(\/|\?|$)/, torchServeFormat],
]

/** By path and not by route, since what no route matches has an error too. */
export function errorFormatOf(url: string): ErrorFormat {
  return FORMATS.find(([path]) => path.test(url))?.[1] ?? problemFormat
}
