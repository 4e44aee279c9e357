import { float32ArrayToJson } from '../routes/float32-json.ts'

/**
 * Like JSON.stringify, but prints the shortest numbers that read back as the same float32 for a Float32Array, and a Map as
 * an object whose names keep their order: a plain object puts names that are numbers first. Takes plain objects and
 * arrays; anything else in them goes to JSON.stringify.
 */
export function serializeJson(value: unknown): string {
  if (value instanceof Float32Array) return float32ArrayToJson(value)
  if (Array.isArray(value))
    return `[${value.map((item) => (item === undefined ? 'null' : serializeJson(item))).join(',')}]`
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return JSON.stringify(value)
  const members: string[] = []
  for (const [name, member] of value instanceof Map ? value : Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${serializeJson(member)}`)
  }
  return `{${members.join(',')}}`
}
