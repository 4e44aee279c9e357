import type { Activation } from '../../repository/quantization.ts'
import type { OnnxBuilder } from './builder.ts'

/**
 * The values of the graph as the ONNX model holds them: each is made in float32 or in uint8, and converted once where a
 * node wants the other. In float32 a value is called what the graph calls it.
 */
export class OnnxValues {
  readonly #onnx: OnnxBuilder
  readonly #floats = new Set<string>()
  readonly #uint8s = new Set<string>()
  readonly #scales = new Map<string, [scale: string, zeroPoint: string]>()
  readonly #activations: Map<string, Activation>

  constructor(onnx: OnnxBuilder, activations: Record<string, Activation>) {
    this.#onnx = onnx
    this.#activations = new Map(Object.entries(activations))
  }

  madeFloat(name: string): void {
    this.#floats.add(name)
  }

  /** Under the name that `uint8Name` gives it. */
  madeUint8(name: string): void {
    this.#uint8s.add(name)
  }

  isUint8(name: string): boolean {
    return this.#uint8s.has(name)
  }

  uint8Name(name: string): string {
    return `${name}.uint8`
  }

  asFloat(name: string): string {
    if (!this.#floats.has(name)) {
      this.#onnx.emit('DequantizeLinear', [this.uint8Name(name), ...this.scale(name)], name)
      this.#floats.add(name)
    }
    return name
  }

  asUint8(name: string): string {
    const uint8 = this.uint8Name(name)
    if (!this.#uint8s.has(name)) {
      this.#onnx.emit('QuantizeLinear', [name, ...this.scale(name)], uint8)
      this.#uint8s.add(name)
    }
    return uint8
  }

  /** Throws when calibration has nothing for that value. */
  activation(name: string): Activation {
    const activation = this.#activations.get(name)
    if (activation === undefined) throw new Error(`quantization: no scale for ${name}`)
    return activation
  }

  /** `name` holds numbers of `origin`, on its scale, where that has one. */
  sameScale(name: string, origin: string): void {
    const activation = this.#activations.get(origin)
    if (activation) this.#activations.set(name, activation)
  }

  /** Names of a value's scale and zero point, in the order in which operators take them. */
  scale(name: string): [scale: string, zeroPoint: string] {
    const known = this.#scales.get(name)
    if (known) return known
    const { scale, zero_point } = this.activation(name)
    const names: [string, string] = [
      this.#onnx.floats(`${name}.scale`, Float32Array.of(scale), []),
      this.#onnx.uint8s(`${name}.zero_point`, Uint8Array.of(zero_point), []),
    ]
    this.#scales.set(name, names)
    return names
  }
}
