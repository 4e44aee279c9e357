/**
 * What it costs to make a photograph the input of a model of 224 x 224: processor time, and how much of it is on the event
 * loop. `npx tsx bench/photographs.ts`
 */
import sharp from 'sharp'
import { inTurns } from '../src/preprocessing/in-turns.ts'
import { photographInput } from '../src/preprocessing/photograph/photograph-input.ts'
import { configureSharp, decodePhotograph } from '../src/preprocessing/sharp-decoder.ts'
import type { PhotographSpec } from '../src/repository/input-spec.ts'
import { INPUT_KINDS, makePictures } from './inputs.ts'
import { series } from './statistics.ts'
import { textTable } from './table.ts'

const SECONDS = 4
const LIMITS = { maxPixels: 50_000_000, timeoutS: 10 }
const SPEC: PhotographSpec = {
  height: 224,
  width: 224,
  channels: 'rgb',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  resize: 256,
  crop: 'center',
  interpolation: 'bilinear',
  orientation: 'ignore',
  alpha: 'drop',
}

/** Milliseconds per call of processor time in all threads, one call after the other, after a second of warm-up. */
async function cpuMs(call: () => Promise<unknown>): Promise<number> {
  const warm = performance.now() + 1000
  while (performance.now() < warm) await call()
  const [end, before] = [performance.now() + SECONDS * 1000, process.cpuUsage()]
  let calls = 0
  for (; performance.now() < end; calls++) await call()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / calls
}

/** Notes how long each piece of the work takes. */
function* timed<Result>(work: Generator<undefined, Result>, pieces: number[]): Generator<undefined, Result> {
  for (;;) {
    const start = performance.now()
    const piece = work.next()
    pieces.push(performance.now() - start)
    if (piece.done) return piece.value
    yield
  }
}

async function main(): Promise<void> {
  const kinds = ['jpeg', 'photo'] as const
  const files = await Promise.all(kinds.map((kind) => makePictures(kind, SPEC, 1)))
  // After the pictures are drawn: it blocks SVG in the whole process.
  configureSharp()
  const rows: string[][] = []
  for (const [i, kind] of kinds.entries()) {
    const file = files[i]?.[0] as Buffer
    const { size } = INPUT_KINDS[kind]
    const alone = { height: 256, kernel: 'linear', fastShrinkOnLoad: false } as const
    const ms = await cpuMs(() => sharp(file).resize(alone).raw().toBuffer())
    rows.push([INPUT_KINDS[kind].title, 'sharp alone, to 256 pixels', ms.toFixed(1)])
    for (const interpolation of ['bilinear', 'bicubic', 'nearest'] as const) {
      const spec = { ...SPEC, interpolation }
      const loop: number[] = []
      const longest: number[] = []
      const ms = await cpuMs(async () => {
        const { pixels, size: whole } = await decodePhotograph(file, size, spec, LIMITS)
        const pieces: number[] = []
        await inTurns(timed(photographInput(pixels, spec, whole), pieces))
        loop.push(pieces.reduce((sum, piece) => sum + piece, 0))
        longest.push(Math.max(...pieces))
      })
      const median = (values: number[]): string => series(values).median.toFixed(1)
      rows.push([INPUT_KINDS[kind].title, interpolation, ms.toFixed(1), median(loop), median(longest)])
    }
  }
  const head = ['', '', 'CPU ms', 'of it on the event loop', 'longest piece, ms']
  process.stdout.write(`${textTable([head, ...rows])}\n`)
}

await main()
