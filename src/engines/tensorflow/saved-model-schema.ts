import protobuf from 'protobufjs/light.js'

/** A field with string keys. */
const map = (type: string, id: number): protobuf.IMapField => ({ keyType: 'string', type, id })

/**
 * The part of TensorFlow's SavedModel schema that a graph with constant weights needs. Field numbers are those of
 * saved_model.proto, meta_graph.proto, graph.proto and tensor.proto.
 */
const root = protobuf.Root.fromJSON({
  nested: {
    SavedModel: {
      fields: {
        savedModelSchemaVersion: { type: 'int64', id: 1 },
        metaGraphs: { rule: 'repeated', type: 'MetaGraphDef', id: 2 },
      },
    },
    MetaGraphDef: {
      fields: {
        metaInfoDef: { type: 'MetaInfoDef', id: 1 },
        graphDef: { type: 'GraphDef', id: 2 },
        signatureDef: map('SignatureDef', 5),
      },
    },
    MetaInfoDef: { fields: { tags: { rule: 'repeated', type: 'string', id: 4 } } },
    SignatureDef: {
      fields: {
        inputs: map('TensorInfo', 1),
        outputs: map('TensorInfo', 2),
        methodName: { type: 'string', id: 3 },
      },
    },
    TensorInfo: {
      fields: {
        name: { type: 'string', id: 1 },
        dtype: { type: 'int32', id: 2 },
        tensorShape: { type: 'TensorShapeProto', id: 3 },
      },
    },
    TensorShapeProto: { fields: { dim: { rule: 'repeated', type: 'Dim', id: 2 } } },
    Dim: { fields: { size: { type: 'int64', id: 1 } } },
    GraphDef: {
      fields: { node: { rule: 'repeated', type: 'NodeDef', id: 1 }, versions: { type: 'VersionDef', id: 4 } },
    },
    VersionDef: { fields: { producer: { type: 'int32', id: 1 } } },
    NodeDef: {
      fields: {
        name: { type: 'string', id: 1 },
        op: { type: 'string', id: 2 },
        input: { rule: 'repeated', type: 'string', id: 3 },
        attr: map('AttrValue', 5),
      },
    },
    AttrValue: {
      // A oneof, so that a value of 0 or false is written too.
      oneofs: { value: { oneof: ['list', 's', 'i', 'f', 'b', 'type', 'shape', 'tensor'] } },
      fields: {
        list: { type: 'ListValue', id: 1 },
        s: { type: 'bytes', id: 2 },
        i: { type: 'int64', id: 3 },
        f: { type: 'float', id: 4 },
        b: { type: 'bool', id: 5 },
        type: { type: 'int32', id: 6 },
        shape: { type: 'TensorShapeProto', id: 7 },
        tensor: { type: 'TensorProto', id: 8 },
      },
    },
    ListValue: { fields: { i: { rule: 'repeated', type: 'int64', id: 3 } } },
    TensorProto: {
      fields: {
        dtype: { type: 'int32', id: 1 },
        tensorShape: { type: 'TensorShapeProto', id: 2 },
        tensorContent: { type: 'bytes', id: 4 },
      },
    },
  },
})

export const SavedModel = root.lookupType('SavedModel')

/** tensorflow.DataType */
export const DT = { float: 1, int32: 3, string: 7, bfloat16: 14, half: 19 } as const
export type DataType = (typeof DT)[keyof typeof DT]

/** The GraphDef version whose op semantics the graph relies on. */
const GRAPH_PRODUCER = 1087

interface Shape {
  dim: { size: number }[]
}

export interface AttrValue {
  list?: { i: number[] }
  s?: Uint8Array
  i?: number
  f?: number
  b?: boolean
  type?: DataType
  shape?: Shape
  tensor?: { dtype: DataType; tensorShape: Shape; tensorContent: Uint8Array }
}

export interface NodeDef {
  name: string
  op: string
  input: string[]
  attr: Record<string, AttrValue>
}

/** A value that callers feed or fetch. In `shape`, -1 is a free dimension. */
interface SignatureValue {
  node: string
  dtype: DataType
  shape: number[]
}

type SignatureValues = Record<string, SignatureValue>

/** The bytes of saved_model.pb: one graph with the tag `serve` and the signature `serving_default`, no variables. */
export function encodeSavedModel(nodes: NodeDef[], inputs: SignatureValues, outputs: SignatureValues): Uint8Array {
  const signature = {
    inputs: tensorInfos(inputs),
    outputs: tensorInfos(outputs),
    methodName: 'tensorflow/serving/predict',
  }
  return SavedModel.encode({
    savedModelSchemaVersion: 1,
    metaGraphs: [
      {
        metaInfoDef: { tags: ['serve'] },
        graphDef: { node: nodes, versions: { producer: GRAPH_PRODUCER } },
        signatureDef: { serving_default: signature },
      },
    ],
  }).finish()
}

export function tensorShape(dims: number[]): Shape {
  return { dim: dims.map((size) => ({ size })) }
}

function tensorInfos(values: SignatureValues): Record<string, object> {
  const infos = Object.entries(values).map(([name, { node, dtype, shape }]) => {
    return [name, { name: `${node}:0`, dtype, tensorShape: tensorShape(shape) }]
  })
  return Object.fromEntries(infos)
}
