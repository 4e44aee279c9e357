import type { Model } from './api.ts'

/** Paints the model's input, `[C][H][W]`, as the picture that it is before it is normalised: value * std + mean. */
export function paintSeen(canvas: HTMLCanvasElement, input: number[][][], { input: spec }: Pick<Model, 'input'>): void {
  const { width, height, channels } = spec
  canvas.width = width
  canvas.height = height
  // Of red, green and blue, which channel of the model it is.
  const order = { grey: [0, 0, 0], rgb: [0, 1, 2], bgr: [2, 1, 0] }[channels]
  const pixels = new ImageData(width, height)
  for (let i = 0; i < width * height; i++) {
    for (const [colour, c] of order.entries()) {
      const value = input[c]?.[Math.floor(i / width)]?.[i % width] ?? 0
      pixels.data[4 * i + colour] = 255 * (value * (spec.std[c] ?? 1) + (spec.mean[c] ?? 0))
    }
    pixels.data[4 * i + 3] = 255
  }
  canvas.getContext('2d')?.putImageData(pixels, 0, 0)
  canvas.setAttribute('aria-label', `The picture as the model saw it, ${width} by ${height} pixels`)
}
