/** A decoded picture: eight bits per channel, interleaved, row-major. */
export interface Pixels {
  data: Uint8Array
  width: number
  height: number
  /** Grey; grey, alpha; red, green, blue; red, green, blue, alpha; or, with `isCmyk`, cyan, magenta, yellow, black. */
  channels: 1 | 2 | 3 | 4
  isCmyk?: boolean
}
