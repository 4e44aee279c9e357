/** Why there is no answer, as a sentence for people. */
export class Failure extends Error {
  override readonly name = 'Failure'
  /** `key`: an API key is needed. `again`: worth asking again after `retryMs`. `canceled`: the user did not want to wait. */
  readonly kind: 'key' | 'again' | 'unreachable' | 'canceled' | 'refused'
  readonly retryMs: number | undefined

  constructor(kind: Failure['kind'], sentence: string, retryMs?: number) {
    super(sentence)
    this.kind = kind
    this.retryMs = retryMs
  }
}

/** What a response other than 2xx means. */
export async function failureOf(response: Response): Promise<Failure> {
  const { status, statusText, headers } = response
  const detail = await detailOf(response)
  if (status === 401) return new Failure('key', 'This server asks for an API key.')
  const seconds = Number(headers.get('retry-after'))
  if ((status === 503 || status === 429) && seconds > 0) {
    const reason = detail ?? 'it is overloaded'
    return new Failure(
      'again',
      `The server cannot answer now: ${reason}. It is asked again in ${seconds} s.`,
      seconds * 1000,
    )
  }
  if (detail === undefined) return new Failure('refused', `The server answered ${`${status} ${statusText}`.trim()}.`)
  if (status === 504) return new Failure('refused', `The server took too long: ${detail}.`)
  return new Failure('refused', status >= 500 ? `The server failed: ${detail}.` : `The server says no: ${detail}.`)
}

/** What it means that `fetch` rejected. */
export function failureToFetch(error: unknown): Failure {
  if (error instanceof Failure) return error
  if ((error as Error).name === 'AbortError') return new Failure('canceled', 'You canceled the request.')
  return new Failure('unreachable', 'The server cannot be reached. Is it still running?')
}

/** `detail` of problem details (RFC 9457), without a full stop. What stands between us and the server may send anything. */
async function detailOf(response: Response): Promise<string | undefined> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown }
    return typeof detail === 'string' && detail !== '' ? detail.replace(/\.$/, '') : undefined
  } catch {
    return undefined
  }
}
