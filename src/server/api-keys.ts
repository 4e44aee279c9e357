import { hash, timingSafeEqual } from 'node:crypto'

/** A key that requests may carry. The key itself is not kept, so that nothing can print it. */
export interface ApiKey {
  /** For the log and the metrics. Keys may share one, while one is replaced by another. */
  name: string
  /** SHA-256 of the key. */
  sha256: Buffer
}

/** `[name:]key`, or `[name:]sha256:<64 hex digits>`. */
const ENTRY = /^(?:(?!sha256:)(?<name>[\w.-]{1,64}):)?(?:sha256:(?<digest>[0-9a-f]{64})|(?<key>[^:\s]+))$/i

/** The key that an entry of API_KEYS describes, with `key-<position>` for a name if it has none; undefined if it is none. */
export function parseApiKey(entry: string, position: number): ApiKey | undefined {
  const { name = `key-${position}`, digest, key } = ENTRY.exec(entry)?.groups ?? {}
  if (digest !== undefined) return { name, sha256: Buffer.from(digest, 'hex') }
  return key === undefined ? undefined : { name, sha256: sha256(Buffer.from(key)) }
}

/**
 * The name of the key that a request's `Authorization: Bearer <key>` holds; undefined if it holds none of `keys`. The time it
 * takes says nothing of how much of a key was right: digests are compared, in constant time, all of them.
 */
export function authenticate(keys: readonly ApiKey[], authorization: string | undefined): string | undefined {
  // The scheme in any case, as HTTP has it (RFC 9110, 11.1).
  const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return undefined
  // Node gives the bytes of a header as Latin-1.
  const digest = sha256(Buffer.from(token, 'latin1'))
  const matching = keys.filter((key) => timingSafeEqual(key.sha256, digest))
  return matching[0]?.name
}

function sha256(bytes: Buffer): Buffer {
  return hash('sha256', bytes, 'buffer')
}
