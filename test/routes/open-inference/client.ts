import { type BuildOptions, build } from '../../helpers/build.ts'

export interface Answer {
  status: number
  type: string | undefined
  headers: Record<string, string | string[] | number | undefined>
  /** The JSON, which has bytes behind it where the header says so. */
  json: {
    id?: string
    model_name: string
    model_version: string
    error?: string
    outputs: { name: string; datatype: string; shape: number[]; data?: unknown[]; parameters?: object }[]
  }
  /** What is behind the JSON. */
  binary: Buffer
}

export const INFER = '/v2/models/fake/infer'

/** An application over a fake model of 2 x 3 pixels, and how a client of the protocol asks it. */
export async function openInferenceClient(options: BuildOptions = {}) {
  const { app, model, services } = await build(options)

  /** No Content-Type unless given, as its clients send none. */
  async function post(payload: Buffer, headers: Record<string, string> = {}, url = INFER): Promise<Answer> {
    const answer = await app.inject({ method: 'POST', url, payload, headers })
    const jsonLength = Number(answer.headers['inference-header-content-length'] ?? answer.rawPayload.length)
    return {
      status: answer.statusCode,
      type: answer.headers['content-type']?.toString(),
      headers: answer.headers,
      json: JSON.parse(answer.rawPayload.subarray(0, jsonLength).toString()),
      binary: answer.rawPayload.subarray(jsonLength),
    }
  }

  return {
    app,
    model,
    services,
    post,
    infer: (request: object, url?: string) => post(Buffer.from(JSON.stringify(request)), {}, url),
    /** The JSON, and behind it this. */
    inferBinary: (request: object, ...binary: Buffer[]) => {
      const json = Buffer.from(JSON.stringify(request))
      return post(Buffer.concat([json, ...binary]), { 'inference-header-content-length': String(json.length) })
    },
    get: async (url: string) => {
      const answer = await app.inject({ url })
      return { status: answer.statusCode, type: answer.headers['content-type'], json: answer.json() }
    },
  }
}

/** An input tensor, by default of one picture's six values. */
export function input(changes: object = {}): object {
  return { name: 'input', datatype: 'FP32', shape: [1, 1, 2, 3], data: [1, 2, 3, 4, 5, 6], ...changes }
}

/** The same without `data`, its bytes behind the JSON. */
export function binaryInput(bytes: number, changes: object = {}): object {
  return input({ data: undefined, parameters: { binary_data_size: bytes }, ...changes })
}

/** Elements of a BYTES tensor: each behind its length. */
export function lengthPrefixed(...elements: (Buffer | string)[]): Buffer {
  return Buffer.concat(
    elements.flatMap((element) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(Buffer.byteLength(element))
      return [length, Buffer.from(element)]
    }),
  )
}
