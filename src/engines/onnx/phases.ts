import { int, ints, type OnnxBuilder, text } from './builder.ts'

/**
 * A value `[N, C, H, W]` in four: its even rows and columns, even rows and odd columns, and so on (polyphase components). Of an
 * odd height, there is one even row more.
 */
export type Phases<T = string> = readonly [evenEven: T, evenOdd: T, oddEven: T, oddOdd: T]

export function eachPhase<T, U>(phases: Phases<T>, map: (value: T, phase: number) => U): Phases<U> {
  const [ee, eo, oe, oo] = phases
  return [map(ee, 0), map(eo, 1), map(oe, 2), map(oo, 3)]
}

/** `[C, H, W]` */
export type Shape = readonly [channels: number, height: number, width: number]

/** Rows and columns. */
type Size = readonly [rows: number, columns: number]

/** What a phase has less than the largest: a row of an odd height, a column of an odd width. */
export function missing(phase: number, [, height, width]: Shape): Size {
  return [(phase >> 1) & height, phase & width & 1]
}

/**
 * Writes the operators for values in phases. Most are convolutions of each channel by itself: onnxruntime computes these,
 * and Add, on its own blocked layout of channels, in which the large convolutions leave their values. Any other operator would
 * have it convert to the plain layout and back.
 */
export class PhaseOperators {
  readonly #onnx: OnnxBuilder
  readonly #kernels = new Set<string>()
  #count = 0

  constructor(onnx: OnnxBuilder) {
    this.#onnx = onnx
  }

  /** The last two are added first. */
  add(...addends: readonly string[]): string {
    return addends.reduceRight((sum, addend) => this.#onnx.emit('Add', [addend, sum], this.#fresh()))
  }

  /** Written as an addition to `-b`, since Sub has no blocked form. */
  subtract(a: string, b: string, channels: number): string {
    return this.add(this.#perChannel(b, channels, [1, 1], [-1]), a)
  }

  /** Each row or column less the next one. There are zeros before the first, or after the last. */
  fall(value: string, channels: number, [rows, columns]: Size, zeros: 'before' | 'after'): string {
    const pads = zeros === 'before' ? [rows, columns, 0, 0] : [0, 0, rows, columns]
    return this.#perChannel(value, channels, [1 + rows, 1 + columns], [1, -1], { pads })
  }

  /** Adds so many rows and columns of zeros at the end. */
  extend(value: string, channels: number, by: Size): string {
    return by.every((count) => count === 0)
      ? value
      : this.#perChannel(value, channels, [1, 1], [1], { pads: [0, 0, ...by] })
  }

  /** Takes so many rows and columns from the end. */
  trim(value: string, channels: number, [rows, columns]: Size): string {
    const first = oneHot((1 + rows) * (1 + columns), 0)
    return this.#perChannel(value, channels, [1 + rows, 1 + columns], first)
  }

  split(value: string, channels: number): Phases {
    return eachPhase([0, 1, 2, 3], (phase) => {
      const [height, width] = [1 + (phase >> 1), 1 + (phase & 1)]
      const last = oneHot(height * width, height * width - 1)
      return this.#perChannel(value, channels, [height, width], last, { strides: [2, 2] })
    })
  }

  /** Writes `output`, a value of this shape in one piece. */
  join(phases: Phases, shape: Shape, output: string): void {
    const [channels, height, width] = shape
    const equal = eachPhase(phases, (value, phase) => this.extend(value, channels, missing(phase, shape)))
    const stacked = this.#onnx.emit('Concat', [...equal], this.#fresh(), [int('axis', 1)])
    const isEven = height % 2 === 0 && width % 2 === 0
    const joined = isEven ? output : this.#fresh()
    this.#onnx.emit('DepthToSpace', [stacked], joined, [int('blocksize', 2), text('mode', 'DCR')])
    if (isEven) return
    const bounds = Object.entries({ starts: [0, 0], ends: [height, width], axes: [2, 3] })
    this.#onnx.emit(
      'Slice',
      [joined, ...bounds.map(([name, values]) => this.#onnx.int64s(`${output}.${name}`, values))],
      output,
    )
  }

  /** The same `kernel` for every channel. */
  #perChannel(
    value: string,
    channels: number,
    [height, width]: Size,
    kernel: number[],
    { pads = [0, 0, 0, 0], strides = [1, 1] } = {},
  ): string {
    const name = `phases.${channels}x${height}x${width}(${kernel})`
    if (!this.#kernels.has(name)) {
      const weight = Float32Array.from(
        { length: channels * kernel.length },
        (_, i) => kernel[i % kernel.length] as number,
      )
      this.#kernels.add(this.#onnx.constant(name, 'float', weight, [channels, 1, height, width]))
    }
    const attributes = [
      ints('kernel_shape', [height, width]),
      ints('pads', pads),
      ints('strides', strides),
      int('group', channels),
    ]
    return this.#onnx.emit('Conv', [value, name], this.#fresh(), attributes)
  }

  #fresh(): string {
    return `phases.${this.#count++}`
  }
}

function oneHot(length: number, at: number): number[] {
  return Array.from({ length }, (_, i) => (i === at ? 1 : 0))
}
