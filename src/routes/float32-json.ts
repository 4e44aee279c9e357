/** The powers of ten that `places` below can reach; all are exact doubles. */
const POWERS = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)
/** Magnitudes in this range are printed digit by digit; others, rare in model outputs, by JavaScript. */
const [SMALLEST, LARGEST] = [1e-6, 1e6]
/** Most bytes per number: sign, "0.", five zeros and nine digits, or a double as JavaScript prints it, and a comma. */
const MAX_LENGTH = 32

const [ZERO, MINUS, POINT, COMMA, OPEN, CLOSE] = Buffer.from('0-.,[]')

/** Shared by all calls: each ends before the next begins. */
let buffer = Buffer.allocUnsafe(64 * 1024)

/**
 * The JSON array of a vector, each value as the shortest decimal that reads back as the same float32. The text equals
 * `JSON.stringify` of each value's `shortestFloat32`, in a sixth of the time, since no double is printed. NaN and
 * infinities become null, as in JSON. Each value is scaled to an integer of 6 to 9 digits, which are written as bytes.
 */
export function float32ArrayToJson(vector: Float32Array): string {
  const needed = 2 + vector.length * MAX_LENGTH
  if (buffer.length < needed) buffer = Buffer.allocUnsafe(needed)
  buffer[0] = OPEN as number
  let at = 1
  for (let i = 0; i < vector.length; i++) {
    if (i > 0) buffer[at++] = COMMA as number
    at = write(vector[i] as number, at)
  }
  buffer[at++] = CLOSE as number
  return buffer.toString('latin1', 0, at)
}

/** Writes `x` at `at`; returns the end. */
function write(x: number, at: number): number {
  const magnitude = x < 0 ? -x : x
  if (!(magnitude >= SMALLEST && magnitude < LARGEST)) return writeText(x, at)
  let exponent = 5
  while (magnitude < (exponent >= 0 ? (POWERS[exponent] as number) : 1 / (POWERS[-exponent] as number))) exponent--
  for (let digits = 6; digits <= 9; digits++) {
    let places = digits - 1 - exponent
    const power = POWERS[places] as number
    let integer = Math.round(magnitude * power)
    if (Math.fround(integer / power) !== magnitude) continue
    // Fewer than six digits may be enough.
    while (places > 0 && integer % 10 === 0) {
      integer /= 10
      places--
    }
    let next = at
    if (x < 0) buffer[next++] = MINUS as number
    return writeDecimal(integer, places, next)
  }
  return writeText(x, at)
}

/** integer / 10^places, in plain digits. */
function writeDecimal(integer: number, places: number, at: number): number {
  const power = POWERS[places] as number
  if (integer < power) {
    buffer[at] = ZERO as number
    buffer[at + 1] = POINT as number
    return writeDigits(integer, places, at + 2)
  }
  const whole = Math.floor(integer / power)
  const end = writeDigits(whole, countDigits(whole), at)
  if (places === 0) return end
  buffer[end] = POINT as number
  return writeDigits(integer - whole * power, places, end + 1)
}

/** `value` in exactly `digits` digits, zeros in front. */
function writeDigits(value: number, digits: number, at: number): number {
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.trunc(rest / 10)
    buffer[i] = (ZERO as number) + (rest - 10 * tenth)
    rest = tenth
  }
  return at + digits
}

function countDigits(value: number): number {
  let digits = 1
  while (value >= (POWERS[digits] as number)) digits++
  return digits
}

function writeText(x: number, at: number): number {
  return at + buffer.write(JSON.stringify(shortestFloat32(x)), at, 'latin1')
}

/**
 * The double whose JSON is the shortest decimal that reads back as the float32 x: "0.1", not "0.10000000149011612".
 *
 * x is scaled to an integer of 6 to 9 digits and rounded; the first that reads back as x wins. Nine digits always do
 * (IEEE 754: a float32 has at most 9 significant digits), and a double prints so short a decimal unchanged. About 40 ns
 * a number.
 */
export function shortestFloat32(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x
  // Math.round rounds halves up; both signs must round alike.
  if (x < 0) return -shortestFloat32(-x)
  const exponent = Math.floor(Math.log10(x))
  if (exponent < -13 || exponent > 13) return bySearch(x)
  for (let digits = 6; digits <= 9; digits++) {
    const places = digits - 1 - exponent
    const candidate = places >= 0 ? Math.round(x * 10 ** places) / 10 ** places : scaledDown(x, 10 ** -places)
    if (Math.fround(candidate) === x) return candidate
  }
  return bySearch(x)
}

function scaledDown(x: number, unit: number): number {
  return Math.round(x / unit) * unit
}

/** Far from 1, powers of ten are not exact doubles. Printing and parsing is slower but always right. */
function bySearch(x: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(x.toPrecision(digits))
    if (Math.fround(candidate) === x) return candidate
  }
  return Number(x.toPrecision(9))
}
