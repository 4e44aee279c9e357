// For engine processes of tests, which are no TypeScript: what src/workers/input-pipe.ts reads.
import { readSync } from 'node:fs'

export function readInput(byteLength) {
  const input = new Float32Array(byteLength / 4)
  const bytes = new Uint8Array(input.buffer)
  for (let at = 0; at < byteLength; ) at += readSync(4, bytes, at, byteLength - at, null)
  return input
}
