import { ATTRIBUTE_TYPE, DATA_TYPE, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './schema.ts'

/** Domain of onnxruntime's own operators. */
export const MICROSOFT = 'com.microsoft'

/** The array that holds each of ONNX's data types. */
interface Arrays {
  float: Float32Array
  uint8: Uint8Array
  int8: Int8Array
  int32: Int32Array
  int64: BigInt64Array
}

/** Collects the nodes and weights of an ONNX graph. Each method returns the name of the value it adds. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = []
  readonly initializers: OnnxTensor[] = []

  emit(opType: string, input: string[], output: string, attribute: OnnxAttribute[] = [], domain = ''): string {
    this.nodes.push({ name: output, opType, input, output: [output], attribute, domain })
    return output
  }

  /** A scalar where `dims` is empty. */
  constant<T extends keyof Arrays>(name: string, type: T, data: Arrays[T], dims: number[] = []): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.initializers.push({ name, dims, dataType: DATA_TYPE[type], rawData })
    return name
  }

  /** A vector of int64, ONNX's type for shapes, bounds and axes. */
  int64s(name: string, values: number[]): string {
    return this.constant(name, 'int64', BigInt64Array.from(values, BigInt), [values.length])
  }
}

export function int(name: string, i: number): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.int, i }
}

export function text(name: string, s: string): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.string, s: Buffer.from(s) }
}

export function ints(name: string, values: number[]): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.ints, ints: values }
}
