import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { locateResNets } from '../../src/checkpoints/canonical-names.ts'
import { recognize } from '../../src/checkpoints/recognize.ts'
import { readSafetensors } from '../../src/repository/safetensors.ts'
import { countValues } from '../../src/resnet/graph.ts'
import { parityNames, parityRoot } from './parity-fixtures.ts'
import { writeSafetensors } from './safetensors.ts'

/** Fixtures of models that a library made, whose tensors it names in its own way. */
export const libraryNames = parityNames.filter((name) => existsSync(join(parityRoot, name, 'names.json')))

/** Names and shapes as the library has them. */
export function libraryShapes(name: string): Map<string, { shape: number[] }> {
  const { tensors } = JSON.parse(readFileSync(join(parityRoot, name, 'names.json'), 'utf8')) as {
    tensors: [string, number[]][]
  }
  return new Map(tensors.map(([stored, shape]) => [stored, { shape }]))
}

/** The fixture's weights under the library's names, each with `prefix` before it, as a safetensors file. */
export function libraryCheckpoint(name: string, prefix = ''): Buffer {
  const shapes = libraryShapes(name)
  const [located] = locateResNets(shapes)
  if (located === undefined) throw new Error(`no ResNet in ${name}`)
  const weights = readSafetensors(readFileSync(join(parityRoot, name, 'weights.safetensors')))
  const tensors = [...recognize(located, shapes).tensors].flatMap(([canonical, source]) => {
    if (source === 'zeros') return []
    const { shape } = shapes.get(source.stored) as { shape: number[] }
    const inOurs = weights.shapeOf(canonical) ?? []
    if (countValues(inOurs) !== countValues(shape)) throw new Error(`${canonical} is [${inOurs}], not [${shape}]`)
    return [[prefix + source.stored, { shape, data: weights.take(canonical, inOurs) }] as const]
  })
  return writeSafetensors(
    tensors.map(([stored, tensor]) => [stored, tensor]),
    'F32',
  )
}
