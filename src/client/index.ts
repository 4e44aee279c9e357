/** A client of resnet-serve for Node and browsers. It needs `fetch` and imports nothing. */
export type {
  Classified,
  ClassifyAnswer,
  EmbedAnswer,
  Embedded,
  FailedInput,
  Info,
  ModelInfo,
  Part,
  Parts,
  ScoredClass,
} from './answers.ts'
export {
  type ClientOptions,
  type InferenceOptions,
  type RequestOptions,
  ResnetClient,
  type StreamOptions,
} from './client.ts'
export { ResnetServeError } from './error.ts'
export type { Input, Picture, Tensor } from './inputs.ts'
export type { Clock } from './send.ts'
