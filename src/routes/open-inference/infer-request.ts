import { ServeError } from '../../errors.ts'
import type { InputSpec } from '../../repository/input-spec.ts'
import { channelCount, inputLength } from '../../repository/input-spec.ts'
import { parseJson } from '../inputs/json.ts'
import { pictureFormat } from '../inputs/read-inputs.ts'
import type { Limits } from '../services.ts'
import { type InferRequestJson, inferRequest } from './infer-schema.ts'
import { INPUT_NAME } from './metadata.ts'
import type { RequestedOutput } from './outputs.ts'
import type { InputTensor } from './read-input.ts'

/** An inference request, read but for the data of its input. */
export interface InferRequest {
  id: string | undefined
  inputs: InputTensor[]
  outputs: RequestedOutput[]
  parameters: Record<string, unknown>
  /** Whether an output is to be answered as bytes. */
  isBinary: (output: string) => boolean
}

/**
 * Reads the body of an inference request: JSON, behind it the binary data of the inputs in their order. `jsonLength` is
 * the header Inference-Header-Content-Length: without it all is JSON, and with 0 all is data.
 * Throws `malformed_body`, `missing_input` or `invalid_tensor`, and what `parseJson` throws.
 */
export function readInferRequest(
  body: Buffer,
  jsonLength: string | undefined,
  spec: InputSpec,
  limits: Pick<Limits, 'maxJsonValues'>,
): InferRequest {
  if (jsonLength === undefined) return fromJson(parseJson(body, limits), body.subarray(body.length))
  const length = Number(jsonLength)
  if (!/^\d{1,10}$/.test(jsonLength) || length > body.length) {
    throw malformed(`Inference-Header-Content-Length must be a length within the body, which has ${body.length} bytes`)
  }
  if (length === 0) return rawRequest(body, spec)
  return fromJson(parseHead(body.subarray(0, length), limits), body.subarray(length))
}

/** Triton's client leaves the header in the dictionary of headers that it was given, where it is wrong the next time. */
function parseHead(head: Buffer, limits: Pick<Limits, 'maxJsonValues'>): unknown {
  try {
    return parseJson(head, limits)
  } catch (error) {
    if (!(error instanceof ServeError) || error.code !== 'malformed_body') throw error
    throw malformed(`the first ${head.length} bytes are not JSON, as Inference-Header-Content-Length says they are`)
  }
}

function fromJson(json: unknown, binary: Buffer): InferRequest {
  if (!inferRequest.Check(json)) throw malformed(describe(json))
  const { id, inputs, outputs = [], parameters = {} } = json
  const shared = outputs.find((output) => output.parameters?.shared_memory_region !== undefined)
  if (shared) throw new ServeError('invalid_parameter', 'there is no shared memory: take the outputs from the answer')
  const asked = new Map(outputs.map((output) => [output.name, output.parameters?.binary_data]))
  return {
    id,
    inputs: withData(inputs, binary),
    outputs: outputs.map((output) => ({ name: output.name, classification: output.parameters?.classification })),
    parameters,
    isBinary: (output) => asked.get(output) ?? parameters.binary_data_output ?? false,
  }
}

/** Gives each input its part of the binary data, which must be used up by them. */
function withData(inputs: InferRequestJson['inputs'], binary: Buffer): InputTensor[] {
  let at = 0
  const tensors = inputs.map(({ name, datatype, shape, parameters, data }) => {
    const size = parameters?.binary_data_size
    if (size === undefined) return { name, datatype, shape, values: data }
    if (data !== undefined) throw malformed('an input has both data and binary_data_size')
    at += size
    return { name, datatype, shape, bytes: binary.subarray(at - size, at) }
  })
  if (at !== binary.length) {
    throw malformed(`the inputs' binary_data_size come to ${at} bytes; behind the JSON are ${binary.length}`)
  }
  return tensors
}

/** The body is one input without a word about it: float32 or, where it begins like one, a picture. Answered as bytes. */
function rawRequest(body: Buffer, spec: InputSpec): InferRequest {
  return { id: undefined, inputs: [rawInput(body, spec)], outputs: [], parameters: {}, isBinary: () => true }
}

function rawInput(body: Buffer, spec: InputSpec): InputTensor {
  const picture = [withoutLength(body), body].find((bytes) => pictureFormat(bytes) !== undefined)
  if (picture !== undefined) return { name: INPUT_NAME, datatype: 'BYTES', shape: [1], values: [picture] }
  const bytes = 4 * inputLength(spec)
  const shape = [1, channelCount(spec), spec.height, spec.width]
  if (body.length === bytes) return { name: INPUT_NAME, datatype: 'FP32', shape, bytes: body }
  const taken = `a PNG, JPEG or WebP, or FP32 of shape [${shape}], ${bytes} bytes`
  throw new ServeError('invalid_tensor', `without JSON the body must be ${taken}; it has ${body.length} bytes`)
}

/** Behind a length of 4 bytes, as OpenVINO has it. Triton's has no length in front. */
function withoutLength(body: Buffer): Buffer {
  const hasLength = body.length > 4 && body.readUInt32LE(0) === body.length - 4
  return hasLength ? body.subarray(4) : body.subarray(0, 0)
}

/** What is wrong with it, by the first member that is. */
function describe(json: unknown): string {
  const [first] = inferRequest.Errors(json)
  const at = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
  return `the request is malformed${at === '' ? '' : ` at ${at.slice(0, 100)}`}: ${first?.message ?? 'unknown'}`
}

function malformed(detail: string): ServeError {
  return new ServeError('malformed_body', detail)
}
