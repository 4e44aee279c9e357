import { ATTRIBUTE_TYPE, DATA_TYPE, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './schema.ts'

/** The domain of onnxruntime's own operators. */
export const MICROSOFT = 'com.microsoft'

/** Collects nodes and weights of an ONNX graph. Every method answers the name of the value it adds. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = []
  readonly initializers: OnnxTensor[] = []

  emit(opType: string, input: string[], output: string, attribute: OnnxAttribute[] = [], domain = ''): string {
    this.nodes.push({ name: output, opType, input, output: [output], attribute, domain })
    return output
  }

  floats(name: string, data: Float32Array, dims: number[]): string {
    return this.#initializer(name, DATA_TYPE.float, data, dims)
  }

  int8s(name: string, data: Int8Array, dims: number[]): string {
    return this.#initializer(name, DATA_TYPE.int8, data, dims)
  }

  uint8s(name: string, data: Uint8Array, dims: number[]): string {
    return this.#initializer(name, DATA_TYPE.uint8, data, dims)
  }

  int32s(name: string, data: Int32Array, dims: number[]): string {
    return this.#initializer(name, DATA_TYPE.int32, data, dims)
  }

  /** A vector of int64, which is what ONNX wants shapes, bounds and axes to be. */
  int64s(name: string, values: number[]): string {
    return this.#initializer(name, DATA_TYPE.int64, BigInt64Array.from(values, BigInt), [values.length])
  }

  #initializer(name: string, dataType: number, data: ArrayBufferView, dims: number[]): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.initializers.push({ name, dims, dataType, rawData })
    return name
  }
}

export function int(name: string, i: number): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.int, i }
}

export function ints(name: string, values: number[]): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.ints, ints: values }
}
