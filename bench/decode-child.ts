import sharp, { type Sharp } from 'sharp'
import { answerJobs } from './child-process.ts'
import type { DecodeJob, DecodeThroughput } from './decode.ts'
import { makePictures } from './inputs.ts'

/** More than libuv's threads, so that none of them waits for this process's loop. */
const AT_ONCE = 8
/** The server's SEARCH_SCALE (sharp-decoder.ts): with `fit: ink` it decodes pictures to at most this multiple of the model's size. */
const SCALE = 4

answerJobs<DecodeJob, DecodeThroughput>(async ({ input, model, timing }) => {
  const pictures = await makePictures(input, model, AT_ONCE)
  // The server's settings (configureSharp in sharp-decoder.ts).
  sharp.cache(false)
  sharp.concurrency(1)
  const decode = (file: Buffer): Promise<Buffer> =>
    scaled(sharp(file, { failOn: 'error' }), model)
      .raw({ depth: 'uchar' })
      .toBuffer()

  const { warmupS, windowS, windows } = timing
  const doneAt: number[] = []
  const start = performance.now()
  const endMs = (warmupS + windowS * windows) * 1000
  let next = 0
  const work = async (): Promise<void> => {
    while (performance.now() - start < endMs) {
      await decode(pictures[next++ % pictures.length] as Buffer)
      doneAt.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return {
    picturesPerS: Array.from({ length: windows }, (_, i) => {
      const fromMs = (warmupS + windowS * i) * 1000
      return doneAt.filter((at) => at > fromMs && at <= fromMs + windowS * 1000).length / windowS
    }),
  }
})

function scaled(pipeline: Sharp, { width, height, fit }: DecodeJob['model']): Sharp {
  if (fit === undefined) return pipeline.resize(width, height, { kernel: 'linear', fastShrinkOnLoad: false })
  return pipeline.autoOrient().resize(width * SCALE, height * SCALE, { fit: 'inside', withoutEnlargement: true })
}
