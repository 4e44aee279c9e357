import { runInChild } from './child-process.ts'
import type { PictureKindName } from './inputs.ts'
import type { Timing } from './options.ts'
import type { ServedModel } from './server-api.ts'

export interface DecodeJob {
  input: PictureKindName
  model: ServedModel['input']
  timing: Timing
}

export interface DecodeThroughput {
  /** One per window. */
  picturesPerS: number[]
}

/**
 * sharp alone on the same files, in a process of its own, with the server's settings and down to the size at which the
 * server looks for ink, or to the model's size where it reads photographs: no HTTP, no grey levels, no fitting, no server.
 */
export function measureDecoding(job: DecodeJob): Promise<DecodeThroughput> {
  return runInChild(new URL('./decode-child.ts', import.meta.url), job)
}
