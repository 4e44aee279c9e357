import type { ErrorFormat } from '../error-format.ts'

/** Under exactly this type: KServe's client reads the sentence under no other. */
export const openInferenceFormat: ErrorFormat = ({ detail }) => ({ type: 'application/json', body: { error: detail } })
