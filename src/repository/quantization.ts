import { type Static, Type } from 'typebox'

/** How one value of the graph is stored as uint8: `real = scale * (stored - zero_point)`. */
const ActivationSchema = Type.Object(
  {
    scale: Type.Number({ exclusiveMinimum: 0 }),
    zero_point: Type.Integer({ minimum: 0, maximum: 255 }),
  },
  { additionalProperties: false },
)

/** `quantization` in model.json: the result of calibration. Weights are not in it; they are quantised at load. */
export const QuantizationSchema = Type.Object(
  {
    /** By the name of the value: `input`, or a node of the graph. */
    activations: Type.Record(Type.String(), ActivationSchema),
    /** Nodes that stay in fp32, because int8 costs too much accuracy there. */
    fp32: Type.Array(Type.String()),
    /** How the ranges were chosen, and the loss measured. For people; no code reads it. */
    report: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
)

export type Activation = Static<typeof ActivationSchema>
export type Quantization = Static<typeof QuantizationSchema>
