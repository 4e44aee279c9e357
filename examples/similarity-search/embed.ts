import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'

/** Where resnet-serve listens. */
const SERVER = process.env.RESNET_SERVE_URL ?? 'http://127.0.0.1:8080'

export interface Embedded {
  /** Names the vector space: embeddings of two spaces cannot be compared. */
  space: string
  /** One for each picture, in their order; undefined where the picture could not be read, as `failed` says. */
  embeddings: (number[] | undefined)[]
  failed: string[]
}

/** Embeds pictures in one request. Waits and tries again while the server is busy. */
export async function embed(paths: string[]): Promise<Embedded> {
  const form = new FormData()
  for (const path of paths) form.append('file', await openAsBlob(path), basename(path))
  const answer = await post(form)
  const { results } = (await answer.json()) as { results: { embedding?: number[]; error?: { detail: string } }[] }
  return {
    space: answer.headers.get('x-embedding-space') ?? '',
    embeddings: results.map(({ embedding }) => embedding),
    failed: results.flatMap(({ error }, i) => (error ? `${paths[i]}: ${error.detail}` : [])),
  }
}

async function post(body: FormData): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`${SERVER}/embed?include=embedding&partial=true`, { method: 'POST', body })
    if (answer.ok) return answer
    const { detail } = (await answer.json()) as { detail: string }
    const waitS = Number(answer.headers.get('retry-after'))
    if (waitS === 0 || attempt === 10) throw new Error(`${SERVER} answered ${answer.status}: ${detail}`)
    await new Promise((resolve) => setTimeout(resolve, waitS * 1000))
  }
}
