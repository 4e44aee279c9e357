import type { ErrorFormat } from '../error-format.ts'

/** The protocol's errors. KServe's client reads them only under exactly this content type. */
export const openInferenceFormat: ErrorFormat = ({ detail }) => ({ type: 'application/json', body: { error: detail } })
