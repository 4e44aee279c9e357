import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { float16ToFloat32, float32ToFloat16 } from '../../src/repository/float16.ts'
import { readSafetensorsHeader } from '../../src/repository/safetensors-header.ts'

/** How far apart the logits of two versions with successive numbers are; those of one input differ by far less. */
export const VERSION_STEP = 1000

/**
 * Puts a version of a small model into a repository, in the place of the one that may be there: the model of that folder, each of whose logits is
 * `number` times VERSION_STEP higher. So an answer tells the weights that it comes from.
 */
export function addVersion(
  repository: string,
  version: string,
  { number = Number(version), from = resolve(import.meta.dirname, '../fixtures/parity/custom-blocks') } = {},
): string {
  const manifest = JSON.parse(readFileSync(join(from, 'model.json'), 'utf8'))
  const weights = readFileSync(join(from, 'weights.safetensors'))
  const { tensors, dataStart } = readSafetensorsHeader(weights.length, (at, length) =>
    weights.subarray(at, at + length),
  )
  const [, bias] = tensors.find(([name]) => name === 'linear.bias') ?? []
  if (bias?.dtype !== 'F32' && bias?.dtype !== 'F16') throw new Error('linear.bias is not there, or of another type')
  const [start, end] = bias.data_offsets.map((offset) => dataStart + offset) as [number, number]
  const bytes = weights.buffer.slice(weights.byteOffset + start, weights.byteOffset + end)
  const values = bias.dtype === 'F32' ? new Float32Array(bytes) : float16ToFloat32(new Uint16Array(bytes))
  const raised = values.map((value) => value + number * VERSION_STEP)
  weights.set(new Uint8Array((bias.dtype === 'F32' ? raised : float32ToFloat16(raised)).buffer), start)
  const sha256 = createHash('sha256').update(weights).digest('hex')
  const { reference: _, quantization: __, ...rest } = manifest
  const folder = join(repository, manifest.name, version)
  const unfinished = join(repository, `.${manifest.name}-${version}`)
  mkdirSync(unfinished, { recursive: true })
  mkdirSync(join(repository, manifest.name), { recursive: true })
  writeFileSync(join(unfinished, 'weights.safetensors'), weights)
  writeFileSync(join(unfinished, 'model.json'), JSON.stringify({ ...rest, version, weights: { sha256 } }))
  rmSync(folder, { recursive: true, force: true })
  renameSync(unfinished, folder)
  return folder
}

/** The number of the version whose weights gave these logits. */
export const numberOf = (logits: number[]): number => Math.round((logits[0] as number) / VERSION_STEP)
