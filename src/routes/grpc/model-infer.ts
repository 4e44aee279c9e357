import type { Long } from 'protobufjs'
import { ServeError } from '../../errors.ts'
import type { Model, Prediction } from '../../model/model.ts'
import { infer } from '../infer.ts'
import { tensorBytes } from '../open-inference/infer-response.ts'
import { chooseOutputs, type OutputTensor, outputTensors, type RequestedOutput } from '../open-inference/outputs.ts'
import { readScheduling } from '../open-inference/parameters.ts'
import { type InputTensor, readInput } from '../open-inference/read-input.ts'
import type { Services } from '../services.ts'
import type { Patience } from './unary.ts'

/** A decoded `ModelInferRequest`; what it does not say has proto3's default. */
export interface ModelInferRequest {
  model_name: string
  model_version: string
  id: string
  parameters: Record<string, InferParameter>
  inputs: InferInputTensor[]
  outputs: { name: string; parameters: Record<string, InferParameter> }[]
  raw_input_contents: Uint8Array[]
}

interface InferInputTensor {
  name: string
  datatype: string
  shape: (Long | number)[]
  contents: InferTensorContents | null
}

interface InferTensorContents {
  uint_contents: number[]
  fp32_contents: number[]
  bytes_contents: Uint8Array[]
}

type InferParameter = Partial<Record<'bool_param' | 'int64_param' | 'string_param' | 'double_param', unknown>> & {
  /** The name of the field that is set. */
  parameter_choice?: string
}

/** The model that a request names; an empty version is none. Throws `model_not_found`. */
export function findModel({ models }: Services, name: string, version: string): Model {
  return models.get(name, version === '' ? undefined : version)
}

/** `ModelInfer`: answered with raw contents where it came with them, else with typed ones. */
export async function modelInfer(
  services: Services,
  request: ModelInferRequest,
  { deadline, signal }: Patience,
): Promise<object> {
  const model = findModel(services, request.model_name, request.model_version)
  const { manifest } = model
  const { timeoutMs, priority } = readScheduling(plain(request.parameters))
  const chosen = chooseOutputs(request.outputs.map(requestedOutput), manifest)
  const inputs = readInput(inputTensors(request), manifest.input, services.limits)
  const { predictions } = await infer(services, {
    model,
    inputs,
    deadline: Math.min(deadline, services.clock.now() + timeoutMs),
    signal,
    priority,
  })
  const outputs = outputTensors(chosen, predictions as Prediction[], manifest)
  const isRaw = request.raw_input_contents.length > 0
  return {
    model_name: manifest.name,
    model_version: manifest.version,
    id: request.id,
    outputs: outputs.map((output) => {
      const { name, datatype, shape } = output
      return isRaw ? { name, datatype, shape } : { name, datatype, shape, contents: typedContents(output) }
    }),
    raw_output_contents: isRaw ? outputs.map(({ data }) => tensorBytes(data)) : [],
  }
}

function requestedOutput({ name, parameters }: ModelInferRequest['outputs'][number]): RequestedOutput {
  const { classification, shared_memory_region } = plain(parameters)
  if (shared_memory_region !== undefined) {
    throw new ServeError('invalid_parameter', 'there is no shared memory: take the outputs from the answer')
  }
  return { name, classification: classification as number | undefined }
}

/** Raw contents are one for each input, in their order; a request has them or typed contents, not both. */
function inputTensors({ inputs, raw_input_contents: raw }: ModelInferRequest): InputTensor[] {
  const isTyped = inputs.some(({ contents }) => contents !== null)
  if (raw.length > 0 && isTyped) throw invalid('an input has contents, and there are raw_input_contents: send one')
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw invalid(`there are ${inputs.length} inputs and ${raw.length} raw_input_contents`)
  }
  return inputs.map(({ name, datatype, shape, contents }, i) => ({
    name,
    datatype,
    shape: shape.map(Number),
    values: typedValues(datatype, contents),
    bytes: raw[i],
  }))
}

/** Float16 has no typed contents: the protocol sends it raw. */
function typedValues(datatype: string, contents: InferTensorContents | null): unknown {
  if (datatype === 'FP32') return contents?.fp32_contents
  if (datatype === 'UINT8') return contents?.uint_contents
  return datatype === 'BYTES' ? contents?.bytes_contents : undefined
}

function typedContents({ datatype, data }: OutputTensor): object {
  if (datatype === 'BYTES') return { bytes_contents: data.map((text) => Buffer.from(text)) }
  return { fp32_contents: Array.from(data) }
}

/** Parameters as JSON would have them. */
function plain(parameters: Record<string, InferParameter>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => {
      const value = parameter[parameter.parameter_choice as keyof InferParameter]
      return [name, typeof value === 'object' ? Number(value) : value]
    }),
  )
}

function invalid(detail: string): ServeError {
  return new ServeError('invalid_tensor', detail)
}
