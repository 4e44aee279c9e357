import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
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
  if (bias?.dtype !== 'F32') throw new Error('linear.bias is not there, or not float32')
  for (let at = dataStart + bias.data_offsets[0]; at < dataStart + bias.data_offsets[1]; at += 4) {
    weights.writeFloatLE(weights.readFloatLE(at) + number * VERSION_STEP, at)
  }
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
