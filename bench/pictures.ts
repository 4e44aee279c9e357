import sharp from 'sharp'

export interface InputShape {
  height: number
  width: number
  /** `grey` unless given. */
  channels?: 'grey' | 'rgb' | 'bgr' | undefined
}

/** Grain of paper and sensor, repeated over a photograph; coarse enough that JPEG keeps it, as it does a real one's. */
const GRAIN_TILE = 512
const PAPER = 200
const GRAIN = 40

/** A curved stroke, light on dark or dark on light: like handwriting, so that decoding has its usual work. */
export function drawing(shape: InputShape, random: () => number): Promise<Buffer> {
  const [paper, ink] = random() < 0.5 ? ['#000', '#fff'] : ['#fff', '#000']
  return sharp(strokeSvg(shape, random, ink, paper))
    .flatten()
    .toColourspace('b-w')
    .png()
    .toBuffer()
}

/** A dark stroke on grainy paper, in colour, as a camera writes it: about two bits a pixel. */
export async function photograph(shape: InputShape, random: () => number): Promise<Buffer> {
  const { width, height } = shape
  const raw = { width, height, channels: 3 } as const
  return sharp(await grainyPaper(shape), { raw })
    .composite([{ input: strokeSvg(shape, random, '#223') }])
    .jpeg({ quality: 85 })
    .toBuffer()
}

function strokeSvg({ width, height }: InputShape, random: () => number, ink: string, paper?: string): Buffer {
  const point = (): string => `${(0.15 + 0.7 * random()) * width} ${(0.15 + 0.7 * random()) * height}`
  const stroke = `stroke="${ink}" stroke-width="${Math.min(height, width) / 11}" stroke-linecap="round"`
  const ground = paper === undefined ? '' : `<rect width="100%" height="100%" fill="${paper}"/>`
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    ${ground}<path fill="none" ${stroke} d="M${point()} C${point()},${point()},${point()} S${point()},${point()}"/></svg>`)
}

const papers = new Map<string, Promise<Buffer>>()

/** RGB, the same for every picture of one size. */
function grainyPaper({ width, height }: InputShape): Promise<Buffer> {
  const key = `${width} x ${height}`
  const paper = papers.get(key) ?? makePaper(width, height)
  papers.set(key, paper)
  return paper
}

async function makePaper(width: number, height: number): Promise<Buffer> {
  let state = 1
  const noise = Uint8Array.from({ length: GRAIN_TILE * GRAIN_TILE * 3 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return PAPER + (state / 2 ** 32 - 0.5) * GRAIN
  })
  const tile = {
    input: Buffer.from(noise),
    raw: { width: GRAIN_TILE, height: GRAIN_TILE, channels: 3 as const },
    tile: true,
  }
  const sheet = await sharp({
    create: { width: width + GRAIN_TILE, height: height + GRAIN_TILE, channels: 3, background: '#fff' },
  })
    .composite([tile])
    .raw()
    .toBuffer()
  return sharp(sheet, { raw: { width: width + GRAIN_TILE, height: height + GRAIN_TILE, channels: 3 } })
    .extract({ left: 0, top: 0, width, height })
    .blur(1.2)
    .raw()
    .toBuffer()
}
