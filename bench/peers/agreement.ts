import { cosine } from '../../src/engines/cosine.ts'
import type { ServerProcess } from '../server-process.ts'
import type { Peer, PeerInput, Vectors } from './peers.ts'

/** Embeddings of another precision may differ by so much in direction; those of fp32 differ in the sixth digit. */
const MIN_COSINE = 0.99
/** Logits. Between two classes that are nearer than this to each other, another precision may choose the other one. */
const TIE = 0.5

export async function ask(server: ServerProcess, peer: Peer, input: PeerInput, bytes: Buffer): Promise<Vectors> {
  const { path, encode } = peer.requests[input]
  const { contentType, body } = encode(bytes)
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: new Uint8Array(body),
  })
  const text = await response.text()
  if (response.status !== 200)
    throw new Error(`${peer.name}, ${input}: status ${response.status}, ${text.slice(0, 300)}`)
  return peer.read(JSON.parse(text))
}

/** Throws unless both say the same class and about the same embedding; returns the embeddings' cosine. */
export function assertAgreement(peer: Peer, input: PeerInput, answer: Vectors, reference: Vectors): number {
  const similarity = cosine(answer.embedding, reference.embedding)
  const [own, expected] = [argmax(answer.logits), argmax(reference.logits)]
  const behind = (reference.logits[expected] as number) - (reference.logits[own] ?? Number.NEGATIVE_INFINITY)
  if (!(behind <= TIE) || !(similarity >= MIN_COSINE)) {
    throw new Error(`${peer.name}, ${input}: class ${own} for ${expected}, embedding cosine ${similarity}`)
  }
  return similarity
}

function argmax(values: number[]): number {
  return values.indexOf(Math.max(...values))
}
