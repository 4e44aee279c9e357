import { cosine } from '../../src/engines/cosine.ts'
import type { ServerProcess } from '../server-process.ts'
import type { Peer, PeerInput, Vectors } from './peers.ts'

/** Least cosine of embeddings. Other precisions differ this much in direction; fp32 differs in the sixth digit. */
const MIN_COSINE = 0.99
/** Another precision may swap two classes whose logits are closer than this. */
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

/** Throws unless both give the same class and nearly the same embedding; returns the embeddings' cosine. */
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
