import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { ImageDecoder } from '../../../src/preprocessing/image-decoder.ts'
import type { DrawingSpec } from '../../../src/repository/input-spec.ts'
import { drawDigit } from '../../helpers/drawn-digits.ts'
import { likeness } from '../../helpers/likeness.ts'
import { drawClean, drawScene, SCENES, type Scene, type SceneOptions } from '../../helpers/scenes.ts'

const SPEC: DrawingSpec = {
  height: 28,
  width: 28,
  channels: 'grey',
  mean: [0],
  std: [1],
  fit: 'ink',
  invert: 'auto',
  inkSize: 20,
}
const decoder = new ImageDecoder({ maxSide: 2000, maxPixels: 1e6, timeoutS: 10, maxPending: 8 })

/** A frame or a gap that is taken for the digit comes to 0.75 at the most. */
const LIKE = 0.85
/** An open 1, 4 and 7, and the closed loops of 0 and 8, which are most like a frame. */
const HARD = [0, 1, 4, 7, 8]

async function likeClean(scene: Scene, digit: number, options: SceneOptions = {}): Promise<number> {
  const [seen, clean] = [await drawScene(scene, digit, options), await drawClean(scene, digit, options)]
  return likeness(await decoder.decode(seen, SPEC), await decoder.decode(clean, SPEC))
}

describe('a digit', () => {
  const cases = SCENES.flatMap((scene) => [false, true].map((dark) => ({ scene, dark, name: scene.name })))

  it.each(cases)('comes out as on a blank page, $name (inverted: $dark)', async ({ scene, dark }) => {
    for (const digit of dark ? [0, 7] : HARD)
      expect(await likeClean(scene, digit, { dark }), `${digit}`).toBeGreaterThan(LIKE)
  })

  it.each([0, 8])('%i with a thick pen is neither a frame nor lost in one', async (digit) => {
    for (const name of [
      'so large that it nearly touches the border',
      'in a border of one pixel',
      'large, in a border',
    ]) {
      const scene = SCENES.find((each) => each.name === name) as Scene
      expect(await likeClean(scene, digit, { pen: 0.055 }), name).toBeGreaterThan(LIKE)
    }
  })

  it.each([255, 200, 129, 128, 127, 114, 60])('is dark on paper of grey %i', async (paper) => {
    const [seen, clean] = [await drawDigit(7, { size: 100, pen: 0.04, paper, ink: paper - 50 }), await drawClean7()]
    expect(likeness(await decoder.decode(seen, SPEC), await decoder.decode(clean, SPEC))).toBeGreaterThan(LIKE)
  })

  it('comes out of the example as it does at half its brightness', async () => {
    const bright = readFileSync(new URL('../../../examples/seven.png', import.meta.url))
    const dim = await sharp(bright).removeAlpha().linear(0.5).png().toBuffer()
    expect(likeness(await decoder.decode(dim, SPEC), await decoder.decode(bright, SPEC))).toBeGreaterThan(0.99)
  })

  it('that is cut out tightly keeps all its strokes', async () => {
    for (const digit of [4, 5, 7]) {
      const drawn = await drawDigit(digit, { size: 200, pen: 0.035, paper: 235, ink: 30 })
      const cut = await sharp(drawn).trim({ threshold: 60 }).png().toBuffer()
      const fields = [await decoder.decode(cut, SPEC), await decoder.decode(drawn, SPEC)] as const
      expect(likeness(...fields), `${digit}`).toBeGreaterThan(LIKE)
    }
  })
})

const drawClean7 = () => drawDigit(7, { size: 100, pen: 0.04, paper: 255, ink: 0 })
