/** 8-bit greys, row-major. */
export interface GreyPicture {
  data: Uint8Array
  width: number
  height: number
}

/** The greys of the outermost rows and columns. */
export function sides({ data, width, height }: GreyPicture): Record<'top' | 'bottom' | 'left' | 'right', Uint8Array> {
  const left = new Uint8Array(height)
  const right = new Uint8Array(height)
  for (let y = 0; y < height; y++) {
    left[y] = data[y * width] as number
    right[y] = data[(y + 1) * width - 1] as number
  }
  return { top: data.slice(0, width), bottom: data.slice((height - 1) * width), left, right }
}

export function median(values: Uint8Array): number {
  return Uint8Array.from(values).sort()[values.length >> 1] ?? 0
}
