import { float32ToBfloat16, float32ToFloat16 } from '../../repository/float16.ts'
import { type AttrValue, type DataType, DT, type NodeDef, tensorShape } from './saved-model-schema.ts'

/**
 * Collects the nodes of a TensorFlow graph. Each method returns the name of the value it adds. Products, transpositions and
 * reshapes are of float32.
 */
export class GraphDefBuilder {
  readonly nodes: NodeDef[] = []

  node(name: string, op: string, input: string[], attr: Record<string, AttrValue>): string {
    this.nodes.push({ name, op, input, attr })
    return name
  }

  matmul(name: string, a: string, b: string, transposeB: boolean): string {
    return this.node(name, 'MatMul', [a, b], {
      T: { type: DT.float },
      transpose_a: { b: false },
      transpose_b: { b: transposeB },
    })
  }

  transpose(name: string, value: string, order: number[]): string {
    const permutation = this.ints(`${name}/order`, order)
    return this.node(name, 'Transpose', [value, permutation], { T: { type: DT.float }, Tperm: { type: DT.int32 } })
  }

  reshape(name: string, value: string, shape: number[]): string {
    const dims = this.ints(`${name}/shape`, shape)
    return this.node(name, 'Reshape', [value, dims], { T: { type: DT.float }, Tshape: { type: DT.int32 } })
  }

  cast(name: string, value: string, from: DataType, to: DataType): string {
    if (from === to) return this.node(name, 'Identity', [value], { T: { type: to } })
    return this.node(name, 'Cast', [value], { SrcT: { type: from }, DstT: { type: to } })
  }

  /** A constant, rounded to `type`. */
  floats(name: string, values: Float32Array, shape: number[], type: DataType = DT.float): string {
    const rounded =
      type === DT.half ? float32ToFloat16(values) : type === DT.bfloat16 ? float32ToBfloat16(values) : values
    return this.#constant(name, rounded, shape, type)
  }

  ints(name: string, values: number[], shape = [values.length]): string {
    return this.#constant(name, Int32Array.from(values), shape, DT.int32)
  }

  #constant(name: string, values: ArrayBufferView, shape: number[], dtype: DataType): string {
    const tensorContent = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.node(name, 'Const', [], {
      dtype: { type: dtype },
      value: { tensor: { dtype, tensorShape: tensorShape(shape), tensorContent } },
    })
  }
}
