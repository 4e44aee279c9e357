import type { Activation } from '../../repository/quantization.ts'
import type { OnnxBuilder } from './builder.ts'
import type { OnnxAttribute } from './schema.ts'

/**
 * The graph's values in the ONNX model. Each is computed in float32 or uint8, and converted once if a node needs the other
 * type. In float32 it has the same name as in the graph.
 */
export class OnnxValues {
  readonly #onnx: OnnxBuilder
  readonly #floats = new Set<string>()
  readonly #later = new Map<string, () => void>()
  readonly #uint8s = new Set<string>()
  readonly #scales = new Map<string, [scale: string, zeroPoint: string]>()
  readonly #activations: Map<string, Activation>

  constructor(onnx: OnnxBuilder, input: string, activations: Record<string, Activation>) {
    this.#onnx = onnx
    this.#floats.add(input)
    this.#activations = new Map(Object.entries(activations))
  }

  /** Adds a node that computes the value in float32. */
  emitFloat(opType: string, inputs: string[], name: string, attributes: OnnxAttribute[] = []): void {
    this.#onnx.emit(opType, inputs, name, attributes)
    this.#floats.add(name)
  }

  /** `write` adds a node that computes the value in float32 when another node first reads it so. */
  emitFloatLater(name: string, write: () => void): void {
    this.#later.set(name, write)
  }

  /** Adds a node that computes the value in uint8. */
  emitUint8(opType: string, inputs: string[], name: string, attributes: OnnxAttribute[] = [], domain = ''): void {
    this.#onnx.emit(opType, inputs, this.uint8Name(name), attributes, domain)
    this.#uint8s.add(name)
  }

  isUint8(name: string): boolean {
    return this.#uint8s.has(name)
  }

  uint8Name(name: string): string {
    return `${name}.uint8`
  }

  asFloat(name: string): string {
    if (this.#floats.has(name)) return name
    const write = this.#later.get(name)
    if (write === undefined) this.emitFloat('DequantizeLinear', [this.uint8Name(name), ...this.scale(name)], name)
    else {
      write()
      this.#floats.add(name)
    }
    return name
  }

  asUint8(name: string): string {
    if (!this.#uint8s.has(name)) this.emitUint8('QuantizeLinear', [name, ...this.scale(name)], name)
    return this.uint8Name(name)
  }

  /** Throws when calibration has no scale for the value. */
  activation(name: string): Activation {
    const activation = this.#activations.get(name)
    if (activation === undefined) throw new Error(`quantization: no scale for ${name}`)
    return activation
  }

  /** Gives `name` the scale of `origin`, if that has one. */
  sameScale(name: string, origin: string): void {
    const activation = this.#activations.get(origin)
    if (activation) this.#activations.set(name, activation)
  }

  /** Names of the value's scale and zero point, in the order of operator inputs. */
  scale(name: string): [scale: string, zeroPoint: string] {
    const known = this.#scales.get(name)
    if (known) return known
    const { scale, zero_point } = this.activation(name)
    const names: [string, string] = [
      this.#onnx.constant(`${name}.scale`, 'float', Float32Array.of(scale)),
      this.#onnx.constant(`${name}.zero_point`, 'uint8', Uint8Array.of(zero_point)),
    ]
    this.#scales.set(name, names)
    return names
  }
}
