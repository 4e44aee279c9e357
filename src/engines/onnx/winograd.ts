import type { ConvNode } from '../../resnet/graph.ts'
import type { OnnxBuilder } from './builder.ts'
import { eachPhase, missing, type PhaseOperators, type Phases, type Shape } from './phases.ts'

/**
 * A 3x3 convolution by Winograd's minimal filtering F(2x2, 3x3), after Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks" (2016), section 4.1: 16 multiplications of a channel for four outputs instead of 36. Its tiles of 4 x 4
 * inputs overlap by two, so the parts of all tiles are the phases of the input, and the phases shifted by one.
 *
 * Letters are the paper's: filters `g`, tiles `d`, products `m`.
 */

/** With fewer channels, the additions around the products cost more than the products save (bench/winograd.ts). */
const MIN_CHANNELS = 64
/** onnxruntime's blocks of channels: 16 with AVX-512, 8 with AVX2. */
const CHANNEL_BLOCK = 16

/** Whether a convolution is faster so. */
export function suitsWinograd({ kernel, stride, pad, inChannels, outChannels, shape }: ConvNode): boolean {
  const isWide = (channels: number) => channels >= MIN_CHANNELS && channels % CHANNEL_BLOCK === 0
  // A side of one has no odd rows or columns.
  const hasPhases = shape.slice(1).every((side) => side > 1)
  return kernel === 3 && stride === 1 && pad === 1 && isWide(inChannels) && isWide(outChannels) && hasPhases
}

/** Addends. If the first is a convolution that nothing else reads, onnxruntime adds the rest within it. */
export type Sum = readonly [string, ...string[]]

type Four<T> = readonly [T, T, T, T]

/** Writes the convolution with its bias, without its ReLU. */
export function winograd(onnx: OnnxBuilder, ops: PhaseOperators, node: ConvNode, input: Phases): Phases<Sum> {
  const { name, inChannels, outChannels } = node
  const shape = node.shape as unknown as Shape
  const bias = onnx.constant(`${name}.bias`, 'float', node.bias, [outChannels])
  const weights = transformFilters(node.weight).map((weight, i) =>
    onnx.constant(`${name}.weight${i}`, 'float', weight, [outChannels, inChannels, 1, 1]),
  )
  const multiply = (d: string, i: number): string => {
    // Row 1, column 1: each of the four outputs has that product once.
    const inputs = [d, weights[i] as string, ...(i === 5 ? [bias] : [])]
    return onnx.emit('Conv', inputs, `${name}.product${i}`)
  }

  /** `Bt d` along one axis: `d0 - d2`, `d1 + d2`, `d2 - d1`, `d1 - d3`. `d1` and `d3` are even, `d0` and `d2` odd. */
  const spread = (even: string, shortOdd: string, axis: 'rows' | 'columns'): Four<string> => {
    const step = axis === 'rows' ? ([1, 0] as const) : ([0, 1] as const)
    const odd = ops.extend(shortOdd, inChannels, missing(axis === 'rows' ? 2 : 1, shape))
    return [
      ops.fall(odd, inChannels, step, 'before'),
      ops.add(even, odd),
      ops.subtract(odd, even, inChannels),
      ops.fall(even, inChannels, step, 'after'),
    ]
  }
  /** `At m` along one axis: `m0 + m1 + m2` and `m1 - m2 + m3`. `m0` and `m3` stay outermost. */
  const gather = ([m0, m1, m2, m3]: Four<Sum>): [even: Sum, odd: Sum] => {
    const [second, third] = [ops.add(...m1), ops.add(...m2)]
    return [
      [m0[0], ops.add(...m0.slice(1), second, third)],
      [m3[0], ops.add(...m3.slice(1), ops.subtract(second, third, outChannels))],
    ]
  }

  const [evenRows, oddRows] = [spread(input[0], input[1], 'columns'), spread(input[2], input[3], 'columns')]
  const columns = [0, 1, 2, 3].map((column) => {
    const tile = spread(evenRows[column] as string, oddRows[column] as string, 'rows')
    return gather(tile.map((d, row): Sum => [multiply(d, 4 * row + column)]) as unknown as Four<Sum>)
  })
  const [even, odd] = [0, 1].map((row) => gather(columns.map((column) => column[row]) as unknown as Four<Sum>)) as [
    [Sum, Sum],
    [Sum, Sum],
  ]
  // The last tile reaches over the edge of an odd side.
  return eachPhase([...even, ...odd], (sum, phase) => {
    const [rows, columns] = missing(phase, shape)
    return rows + columns === 0 ? sum : [ops.trim(ops.add(...sum), outChannels, [rows, columns])]
  })
}

/**
 * `G g Gt` of each filter `g` `[3, 3]`: 16 matrices `[outChannels, inChannels]`, row by row. The sign of the last row of `G` is not
 * the paper's, so that all products are added. A start waits for it: plain loops, since calls and destructuring take twice as long.
 */
export function transformFilters(filters: Float32Array): Float32Array[] {
  const matrices = Array.from({ length: 16 }, () => new Float32Array(filters.length / 9))
  const rows = new Float64Array(12)
  for (let filter = 0, first = 0; first < filters.length; filter++, first += 9) {
    for (let column = 0; column < 3; column++) {
      const at = first + column
      const a = filters[at] as number
      const b = filters[at + 3] as number
      const c = filters[at + 6] as number
      rows[column] = a
      rows[column + 3] = (a + b + c) / 2
      rows[column + 6] = (a - b + c) / 2
      rows[column + 9] = -c
    }
    for (let row = 0; row < 4; row++) {
      const at = 3 * row
      const a = rows[at] as number
      const b = rows[at + 1] as number
      const c = rows[at + 2] as number
      const out = 4 * row
      ;(matrices[out] as Float32Array)[filter] = a
      ;(matrices[out + 1] as Float32Array)[filter] = (a + b + c) / 2
      ;(matrices[out + 2] as Float32Array)[filter] = (a - b + c) / 2
      ;(matrices[out + 3] as Float32Array)[filter] = -c
    }
  }
  return matrices
}
