import type { Predictor, PredictorOptions } from './predictor.ts'

export async function openRemote(_options: PredictorOptions, _url: string): Promise<Predictor> {
  throw new Error('not yet')
}
