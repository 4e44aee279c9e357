import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadReference } from '../../src/repository/reference.ts'
import { type RepositoryEntry, readRepository } from '../../src/repository/repository.ts'
import { countValues } from '../../src/resnet/graph.ts'
import { readParityFixture, smallFixture } from '../helpers/parity-fixtures.ts'
import { writeSafetensors } from '../helpers/safetensors.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const { manifest } = smallFixture().entry
const { inChannels, numClasses, embeddingSize } = manifest.architecture
const { height, width } = manifest.input
const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(countValues(shape)) })
const bytes = writeSafetensors(
  [
    ['input', zeros(2, inChannels, height, width)],
    ['logits', zeros(2, numClasses)],
    ['embedding', zeros(2, embeddingSize)],
  ],
  'F32',
)

/** A model with this reference, and a sha256 of it in its model.json. */
function entryWith(file: Buffer, sha256?: string): RepositoryEntry {
  const directory = temporaryFolder({ 'reference.safetensors': file })
  return { directory, manifest: { ...manifest, ...(sha256 ? { reference: { sha256 } } : {}) } }
}

describe('loadReference', () => {
  const sha256 = createHash('sha256').update(bytes).digest('hex')

  it('reads the file that model.json has the hash of, or any where it has none', () => {
    expect(loadReference(entryWith(bytes, sha256))?.count).toBe(2)
    expect(loadReference(entryWith(bytes))?.count).toBe(2)
  })

  it('refuses a file with one bit changed, and names it', () => {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
    expect(() => loadReference(entryWith(changed, sha256))).toThrow(/reference\.safetensors: sha256 is .*, model\.json/)
  })

  it('refuses a model without the file only if model.json has its hash', () => {
    const [hashed, plain] = [entryWith(bytes, sha256), entryWith(bytes)]
    for (const { directory } of [hashed, plain]) rmSync(join(directory, 'reference.safetensors'))
    expect(loadReference(plain)).toBeUndefined()
    expect(() => loadReference(hashed)).toThrow(join(hashed.directory, 'reference.safetensors'))
  })

  it('has no logits where the model has no classifier', () => {
    const { entry } = readParityFixture('torchvision-headless')
    const { inChannels: channels, embeddingSize: size } = entry.manifest.architecture
    const { height: rows, width: columns } = entry.manifest.input
    const file = writeSafetensors(
      [
        ['input', zeros(2, channels, rows, columns)],
        ['embedding', zeros(2, size)],
      ],
      'F32',
    )
    const reference = loadReference({ ...entry, directory: temporaryFolder({ 'reference.safetensors': file }) })
    expect(reference?.logits).toHaveLength(0)
    expect(reference?.embedding).toHaveLength(2 * size)
  })

  it('has the hash of the default model’s', async () => {
    const models = await readRepository(fileURLToPath(new URL('../../models', import.meta.url)))
    const [digits] = models
    expect(digits?.manifest.reference?.sha256).toMatch(/^[0-9a-f]{64}$/)
    if (digits) expect(loadReference(digits)?.count).toBe(16)
  })
})
