import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadGraph } from '../../src/repository/load-graph.ts'
import { parseManifest } from '../../src/repository/manifest.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const { entry } = smallFixture()
const weights = readFileSync(join(entry.directory, 'weights.safetensors'))

describe('loadGraph', () => {
  it('builds the graph that model.json describes', () => {
    const graph = loadGraph(entry)
    expect(graph.input.shape).toEqual([1, 28, 28])
    expect(graph.nodes.at(-1)?.shape).toEqual([entry.manifest.architecture.numClasses])
  })

  it('builds the graph of the default model as it ever was, to the last bit', () => {
    const directory = fileURLToPath(new URL('../../models/digits/1', import.meta.url))
    const manifest = parseManifest(readFileSync(join(directory, 'model.json'), 'utf8'))
    const { nodes, outputs } = loadGraph({ directory, manifest })
    const hash = createHash('sha256')
    for (const node of nodes) {
      for (const field of Object.keys(node).sort()) {
        const value = node[field as keyof typeof node] as unknown
        hash.update(`${field}:`).update(value instanceof Float32Array ? value : JSON.stringify(value))
      }
    }
    expect(outputs).toEqual({ logits: 'linear', embedding: 'fc' })
    expect(hash.digest('hex')).toBe('250b66b30f1db805f1908c836af84c755bd415e1f017b2dd1c9c3d190e268f88')
  })

  it('refuses weights with one bit changed, and names the file', () => {
    const changed = Buffer.from(weights)
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
    const directory = temporaryFolder({ 'weights.safetensors': changed })
    expect(() => loadGraph({ ...entry, directory })).toThrow(/weights\.safetensors: sha256 is .*, model\.json says/)
  })

  it('refuses a folder without weights, and names the file', () => {
    const directory = temporaryFolder()
    expect(() => loadGraph({ ...entry, directory })).toThrow(join(directory, 'weights.safetensors'))
  })

  it('refuses weights of another architecture, and names the tensor', () => {
    const architecture = { ...entry.manifest.architecture, numClasses: 4 }
    expect(() => loadGraph({ ...entry, manifest: { ...entry.manifest, architecture } })).toThrow(
      /linear\.weight has shape/,
    )
  })
})
