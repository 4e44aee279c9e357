import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

const Parameters = Type.Record(Type.String(), Type.Unknown())

const Input = Type.Object({
  name: Type.String({ description: '`input`' }),
  shape: Type.Array(Type.Integer({ minimum: 0 }), { description: '`[N,C,H,W]`, or `[N]` of BYTES.' }),
  datatype: Type.String({
    description:
      '`FP32` or `FP16`: normalised values. `UINT8`: pixels of a picture that has the model’s size. `BYTES`: images.',
  }),
  parameters: Type.Optional(
    Type.Object({
      binary_data_size: Type.Optional(Type.Integer({ minimum: 0, description: 'Bytes of its data behind the JSON.' })),
    }),
  ),
  // Read by our own code: to look at each of many numbers here would take longer than to read them.
  data: Type.Optional(Type.Unknown({ description: 'Numbers, flat or nested; base64 strings for BYTES.' })),
})

const RequestedOutput = Type.Object({
  name: Type.String({ description: '`logits`, `probabilities` or `embedding`' }),
  parameters: Type.Optional(
    Type.Object({
      classification: Type.Optional(Type.Integer({ minimum: 0, description: 'The likeliest classes, this many.' })),
      binary_data: Type.Optional(Type.Boolean({ description: 'Answer with bytes behind the JSON.' })),
      shared_memory_region: Type.Optional(Type.Unknown({ description: 'Refused: there is no shared memory.' })),
    }),
  ),
})

/** The JSON of an inference request. Members that are not known are passed over, as Triton does. */
export const InferRequestSchema = Type.Object({
  id: Type.Optional(Type.String({ description: 'Comes back with the answer.' })),
  parameters: Type.Optional(
    Type.Object({
      timeout: Type.Optional(Type.Integer({ minimum: 0, description: 'Microseconds; 0 for none.' })),
      priority: Type.Optional(Type.Integer({ minimum: 0, description: '0 or 1: as usual. More: after all others.' })),
      binary_data_output: Type.Optional(
        Type.Boolean({ description: 'Answer with bytes unless an output says other.' }),
      ),
    }),
  ),
  inputs: Type.Array(Input, { minItems: 1, maxItems: 1 }),
  outputs: Type.Optional(Type.Array(RequestedOutput, { description: 'All that the model has unless given.' })),
})

export type InferRequestJson = Static<typeof InferRequestSchema>

export const inferRequest = Compile(InferRequestSchema)

export const InferResponseSchema = Type.Object({
  model_name: Type.String(),
  model_version: Type.String(),
  id: Type.Optional(Type.String()),
  outputs: Type.Array(
    Type.Object({
      name: Type.String(),
      datatype: Type.String(),
      shape: Type.Array(Type.Integer()),
      parameters: Type.Optional(Parameters),
      data: Type.Optional(Type.Array(Type.Union([Type.Number(), Type.String()]))),
    }),
  ),
})
