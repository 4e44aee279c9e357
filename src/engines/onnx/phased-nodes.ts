import type { AddNode, ConvNode, NormNode } from '../../resnet/graph.ts'
import { ints, type OnnxBuilder } from './builder.ts'
import { type Convolution, convAttributes, perChannel, weightDims } from './convolution.ts'
import { eachPhase, missing, PhaseOperators, type Phases, type Shape } from './phases.ts'
import type { OnnxValues } from './values.ts'
import { type Sum, suitsWinograd, winograd } from './winograd.ts'

/**
 * Writes Winograd's convolutions, and the nodes between them that can stay in phases. A value is brought into phases, or back
 * into one piece, where its first reader needs that.
 *
 * `conv`, `norm` and `add` return false, having written nothing, where a node is one for values in one piece.
 */
export class PhasedNodes {
  readonly #onnx: OnnxBuilder
  readonly #values: OnnxValues
  readonly #ops: PhaseOperators
  readonly #shapes: ReadonlyMap<string, number[]>
  readonly #phases = new Map<string, Phases>()
  /** Values whose last addition is not written yet: the node that adds a shortcut to them does both in one. */
  readonly #sums = new Map<string, Phases<Sum>>()

  constructor(onnx: OnnxBuilder, values: OnnxValues, shapes: ReadonlyMap<string, number[]>) {
    this.#onnx = onnx
    this.#values = values
    this.#shapes = shapes
    this.#ops = new PhaseOperators(onnx)
  }

  conv(node: ConvNode): boolean {
    const { name, input, kernel, stride, pad, relu } = node
    if (suitsWinograd(node)) {
      const sums = winograd(this.#onnx, this.#ops, node, this.#read(input))
      if (relu) this.#write(node, sums)
      else this.#defer(name, sums)
    } else if (!this.#has(input)) return false
    else if (stride === 1 && kernel === 1) this.#convolveEach(node, node)
    else if (stride === 2 && kernel <= 3 && kernel === 2 * pad + 1) this.#convolveStrided(node)
    else return false
    return true
  }

  norm(node: NormNode): boolean {
    if (!this.#has(node.input)) return false
    this.#convolveEach(node, perChannel({ weight: node.scale, bias: node.shift, kernel: 1, stride: 1 }))
    return true
  }

  add(node: AddNode): boolean {
    if (!node.inputs.some((input) => this.#has(input))) return false
    const [a, b] = node.inputs.map(
      (input) => this.#sums.get(input) ?? eachPhase(this.#read(input), (value) => [value]),
    ) as [Phases<Sum>, Phases<Sum>]
    // What begins with a product comes first.
    const [first, second] = a[0].length < b[0].length ? [b, a] : [a, b]
    const sums = eachPhase(first, (sum, phase): Sum => [...sum, ...(second[phase] as Sum)])
    this.#write(node, sums)
    return true
  }

  #has(name: string): boolean {
    return this.#phases.has(name) || this.#sums.has(name)
  }

  #read(name: string): Phases {
    const known = this.#phases.get(name)
    if (known) return known
    const sums = this.#sums.get(name)
    const phases = sums
      ? eachPhase(sums, (sum) => this.#ops.add(...sum))
      : this.#ops.split(this.#values.asFloat(name), this.#shape(name)[0])
    this.#phases.set(name, phases)
    return phases
  }

  #shape(name: string): Shape {
    return this.#shapes.get(name) as unknown as Shape
  }

  #write({ name, relu }: Pick<ConvNode, 'name' | 'relu'>, sums: Phases<Sum>): void {
    const phases = eachPhase(sums, (sum, phase) => {
      const value = this.#ops.add(...sum)
      return relu ? this.#onnx.emit('Relu', [value], `${name}.phase${phase}`) : value
    })
    this.#phases.set(name, phases)
    this.#joinWhenRead(name)
  }

  #defer(name: string, sums: Phases<Sum>): void {
    this.#sums.set(name, sums)
    this.#joinWhenRead(name)
  }

  #joinWhenRead(name: string): void {
    this.#values.emitFloatLater(name, () => this.#ops.join(this.#read(name), this.#shape(name), name))
  }

  /** A filter of 1 x 1 reads no neighbours. */
  #convolveEach(node: ConvNode | NormNode, spec: Convolution): void {
    const { name, input } = node
    const weight = this.#onnx.constant(`${name}.weight`, 'float', spec.weight, weightDims(spec))
    const bias = this.#onnx.constant(`${name}.bias`, 'float', spec.bias, [spec.outChannels])
    const products = eachPhase(this.#read(input), (value, phase): Sum => {
      return [this.#onnx.emit('Conv', [value, weight, bias], `${name}.product${phase}`, convAttributes(spec))]
    })
    this.#write(node, products)
  }

  /**
   * At stride 2, a row of a filter meets even rows or odd ones, and a column likewise. So each phase has its own part of the filter,
   * and their sum is the value in one piece.
   */
  #convolveStrided(node: ConvNode): void {
    const { name, input, outChannels, inChannels, relu } = node
    const bias = this.#onnx.constant(`${name}.bias`, 'float', node.bias, [outChannels])
    const products: string[] = []
    for (const [phase, value] of this.#read(input).entries()) {
      const [rows, columns] = [tapsOf(phase >> 1, node), tapsOf(phase & 1, node)]
      if (rows.length === 0 || columns.length === 0) continue
      const dims = [outChannels, inChannels, rows.length, columns.length]
      const weight = this.#onnx.constant(`${name}.weight${phase}`, 'float', partOf(node, rows, columns), dims)
      const inputs = [value, weight, ...(products.length === 0 ? [bias] : [])]
      // The first of two taps is on the row or column before. Beyond the end of an odd side there are zeros.
      const ends = missing(phase, this.#shape(input))
      const pads = ints('pads', [rows.length - 1, columns.length - 1, ...ends])
      products.push(
        this.#onnx.emit('Conv', inputs, `${name}.product${phase}`, [ints('kernel_shape', dims.slice(2)), pads]),
      )
    }
    this.#values.emitFloat(relu ? 'Relu' : 'Identity', [this.#ops.add(...products)], name)
  }
}

/** The rows (columns) of a centred filter of 1 or 3 that meet even rows at stride 2, or those that meet `odd` ones. */
function tapsOf(odd: number, { kernel, pad }: ConvNode): number[] {
  return Array.from({ length: kernel }, (_, tap) => tap).filter((tap) => ((tap - pad) & 1) === odd)
}

/** `[outChannels, inChannels, rows.length, columns.length]` */
function partOf({ weight, kernel }: ConvNode, rows: number[], columns: number[]): Float32Array {
  const taps = rows.flatMap((row) => columns.map((column) => kernel * row + column))
  const size = kernel * kernel
  const part = new Float32Array((weight.length / size) * taps.length)
  for (let i = 0; i < part.length; i++) {
    part[i] = weight[Math.floor(i / taps.length) * size + (taps[i % taps.length] as number)] as number
  }
  return part
}
