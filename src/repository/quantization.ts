import { type Static, Type } from 'typebox'

/** How one value of the graph is held in eight bits: `real = scale * (stored - zeroPoint)`, stored uint8. */
const ActivationSchema = Type.Object(
  {
    scale: Type.Number({ exclusiveMinimum: 0 }),
    zero_point: Type.Integer({ minimum: 0, maximum: 255 }),
  },
  { additionalProperties: false },
)

/** `quantization` in model.json: what calibration found. Weights are quantised from the fp32 ones at load. */
export const QuantizationSchema = Type.Object(
  {
    /** By the name of the graph's value: `input`, or a node. */
    activations: Type.Record(Type.String(), ActivationSchema),
    /** Nodes that stay in fp32, being too sensitive. */
    fp32: Type.Array(Type.String()),
    /** How the ranges were chosen and what was lost by it: for people, nothing reads it. */
    report: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
)

export type Activation = Static<typeof ActivationSchema>
export type Quantization = Static<typeof QuantizationSchema>
