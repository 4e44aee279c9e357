import protobuf from 'protobufjs/light.js'

/**
 * The part of the ONNX schema (onnx.proto3, IR version 8) that an inference graph needs. Field numbers are those of the
 * specification.
 */
const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'GraphProto', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSetIdProto', id: 8 },
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    GraphProto: {
      fields: {
        node: { rule: 'repeated', type: 'NodeProto', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'TensorProto', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfoProto', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfoProto', id: 12 },
      },
    },
    NodeProto: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'AttributeProto', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    AttributeProto: {
      fields: {
        name: { type: 'string', id: 1 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        type: { type: 'int32', id: 20 },
      },
    },
    TensorProto: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
        externalData: { rule: 'repeated', type: 'StringStringEntryProto', id: 13 },
        dataLocation: { type: 'int32', id: 14 },
      },
    },
    StringStringEntryProto: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    ValueInfoProto: { fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeProto', id: 2 } } },
    TypeProto: { fields: { tensorType: { type: 'TensorType', id: 1 } } },
    TensorType: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'ShapeProto', id: 2 } } },
    ShapeProto: { fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } } },
    Dimension: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
  },
})

const ModelProto = root.lookupType('ModelProto')

/** TensorProto.DataType */
export const DATA_TYPE = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const

/** TensorProto.DataLocation */
const EXTERNAL = 1

/** Shapes, bounds and scales are smaller: onnxruntime reads them while it loads the graph, and they must be in the file. */
const MIN_EXTERNAL_BYTES = 1024

/** AttributeProto.AttributeType */
export const ATTRIBUTE_TYPE = { int: 2, string: 3, ints: 7 } as const

export interface OnnxTensor {
  name: string
  dims: number[]
  dataType: number
  rawData: Uint8Array
}

export interface OnnxAttribute {
  name: string
  type: number
  i?: number
  s?: Uint8Array
  ints?: number[]
}

export interface OnnxNode {
  name: string
  opType: string
  /** Empty for operators of the ONNX standard. */
  domain?: string
  input: string[]
  output: string[]
  attribute: OnnxAttribute[]
}

/** A float value; `shape` is without the batch dimension. */
interface OnnxValue {
  name: string
  shape: number[]
}

export interface OnnxModel {
  nodes: OnnxNode[]
  initializers: OnnxTensor[]
  inputs: OnnxValue[]
  outputs: OnnxValue[]
  opset: number
}

/** An .onnx file without its weights, and the weights by the path that it has for each: onnxruntime takes both from memory. */
export interface EncodedOnnx {
  file: Uint8Array
  externalData: { path: string; data: Uint8Array }[]
}

/** The weights are not copied. */
export function encodeOnnx({ nodes, initializers, inputs, outputs, opset }: OnnxModel): EncodedOnnx {
  const isExternal = ({ rawData }: OnnxTensor) => rawData.byteLength >= MIN_EXTERNAL_BYTES
  const file = ModelProto.encode({
    irVersion: 8,
    producerName: 'resnet-serve',
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'resnet',
      node: nodes,
      initializer: initializers.map((tensor) => (isExternal(tensor) ? externalTensor(tensor) : tensor)),
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
    },
  }).finish()
  const externalData = initializers.filter(isExternal).map(({ name, rawData }) => ({ path: name, data: rawData }))
  return { file, externalData }
}

function externalTensor({ name, dims, dataType, rawData }: OnnxTensor): object {
  const entries = { location: name, offset: '0', length: String(rawData.byteLength) }
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }))
  return { name, dims, dataType, externalData, dataLocation: EXTERNAL }
}

function valueInfo({ name, shape }: OnnxValue): object {
  const dim = [{ dimParam: 'batch' }, ...shape.map((dimValue) => ({ dimValue }))]
  return { name, type: { tensorType: { elemType: DATA_TYPE.float, shape: { dim } } } }
}
