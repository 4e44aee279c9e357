import type { Predictor, PredictorOptions } from './predictor.ts'

/** Throws a plain Error if there is no such model, or no server. Loads only what is needed to ask it. */
export async function openPredictor(options: PredictorOptions): Promise<Predictor> {
  if (options.url === undefined) return (await import('./in-process.ts')).openInProcess(options)
  return await (await import('./remote.ts')).openRemote(options, options.url)
}
