import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { inFile } from '../repository/in-file.ts'

const List = Type.Array(Type.String())
const ByNumber = Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.String(), { additionalProperties: false })
/** `dataset.class_to_idx` of torchvision. */
const ByLabel = Type.Record(Type.String(), Type.Integer({ minimum: 0 }))

/**
 * Class names from a file: a line each, or JSON (a list, `{"0": "cat"}` or `{"cat": 0}`). Throws a plain Error that names the
 * file where there is not one for each class.
 */
export function readLabels(path: string, numClasses: number): string[] {
  return inFile(path, () => {
    const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
    const labels = /^\s*[[{]/.test(text) ? fromJson(JSON.parse(text)) : lines(text)
    if (labels.length !== numClasses) throw new Error(`${labels.length} labels for ${numClasses} classes`)
    const gap = labels.indexOf(undefined)
    if (gap >= 0) throw new Error(`class ${gap} has no label`)
    return labels as string[]
  })
}

function lines(text: string): string[] {
  const all = text.split('\n').map((line) => line.replace(/\r$/, ''))
  return all.at(-1) === '' ? all.slice(0, -1) : all
}

function fromJson(json: unknown): (string | undefined)[] {
  if (Value.Check(List, json)) return json
  const entries = Value.Check(ByNumber, json)
    ? Object.entries(json).map(([id, label]) => [Number(id), label] as const)
    : Value.Check(ByLabel, json)
      ? Object.entries(json).map(([label, id]) => [id, label] as const)
      : undefined
  if (entries === undefined) throw new Error('neither a list of labels, nor {"0": "cat"}, nor {"cat": 0}')
  const byId = new Map(entries)
  return Array.from({ length: entries.length }, (_, id) => byId.get(id))
}
