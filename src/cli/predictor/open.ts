import { openInProcess } from './in-process.ts'
import type { Predictor, PredictorOptions } from './predictor.ts'
import { openRemote } from './remote.ts'

/** Throws a plain Error if there is no such model, or no server. */
export async function openPredictor(options: PredictorOptions): Promise<Predictor> {
  return options.url === undefined ? openInProcess(options) : await openRemote(options, options.url)
}
