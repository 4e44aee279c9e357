import { type GreyPicture, median, sides } from './grey-picture.ts'

/** The grey of the ground at (x, y) is `level + x * perX + y * perY`. */
interface Ground {
  level: number
  perX: number
  perY: number
}

/** A pixel shows the ground when its grey is this near to the ground's. */
const TOLERANCE = 10
/** Where one level fits this many times as much of the border as the plane, the plane is spoiled. A soft shadow has 2, bars 5. */
const SPOILED = 3

/**
 * How much lighter than the ground each pixel is. Pixels darker than the ground are negative. The ground is the plane
 * through the medians of the four sides, so paper that is lit from one side comes out flat. A side that shows a bar or a
 * table spoils that plane. The median of all four sides is taken instead where it fits much more of the border.
 */
export function aboveGround(picture: GreyPicture): Float32Array {
  const { data, width, height } = picture
  const { level, perX, perY } = groundOf(picture)
  const above = new Float32Array(data.length)
  for (let y = 0, i = 0; y < height; y++) {
    const rowLevel = level + y * perY
    for (let x = 0; x < width; x++, i++) above[i] = (data[i] as number) - rowLevel - x * perX
  }
  return above
}

function groundOf(picture: GreyPicture): Ground {
  const { width, height } = picture
  const { top, bottom, left, right } = sides(picture)
  const [t, b, l, r] = [median(top), median(bottom), median(left), median(right)]
  const [perX, perY] = [(r - l) / width, (b - t) / height]
  // The plane is half way between l and r, and between t and b, in the middle of the picture.
  const plane = { level: (t + b + l + r) / 4 - (perX * (width - 1) + perY * (height - 1)) / 2, perX, perY }
  const needed = SPOILED * borderShown(picture, plane)
  // The whole border is too little: the usual case, which saves the sorting.
  if (needed >= 2 * (width + height)) return plane
  const flat = { level: median(Buffer.concat([top, bottom, left, right])), perX: 0, perY: 0 }
  return borderShown(picture, flat) > needed ? flat : plane
}

/** Pixels of the border that show this ground. */
function borderShown({ data, width, height }: GreyPicture, { level, perX, perY }: Ground): number {
  const shows = (x: number, y: number): number =>
    Math.abs((data[y * width + x] as number) - level - x * perX - y * perY) <= TOLERANCE ? 1 : 0
  let count = 0
  for (let x = 0; x < width; x++) count += shows(x, 0) + shows(x, height - 1)
  for (let y = 0; y < height; y++) count += shows(0, y) + shows(width - 1, y)
  return count
}
