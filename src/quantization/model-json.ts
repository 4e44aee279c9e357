import type { Quantization } from '../repository/quantization.ts'

const KEY = 'quantization'
const INDENT = '  '

/**
 * The text of a model.json with its `quantization` replaced, or added at the end. All other text stays as it is. `text`
 * must be a JSON object.
 */
export function withQuantization(text: string, quantization: Quantization): string {
  const value = format(quantization)
  const present = topLevelValue(text, KEY)
  if (present) return text.slice(0, present.from) + value + text.slice(present.to)
  const end = text.lastIndexOf('}')
  const before = text.slice(0, end).trimEnd()
  const comma = before.endsWith('{') ? '' : ','
  return `${before}${comma}\n${INDENT}"${KEY}": ${value}\n${text.slice(end)}`
}

/** One line per value, so that a change of scales reads well in a diff. */
function format({ activations, fp32, report }: Quantization): string {
  const lines = Object.entries(activations).map(
    ([name, { scale, zero_point }]) => `${JSON.stringify(name)}: {"scale": ${scale}, "zero_point": ${zero_point}}`,
  )
  const members = [`"activations": {\n${indented(lines, 3)}\n${INDENT.repeat(2)}}`, `"fp32": ${JSON.stringify(fp32)}`]
  if (report !== undefined) {
    const text = JSON.stringify(report, null, INDENT)
    members.push(`"report": ${text.replaceAll('\n', `\n${INDENT.repeat(2)}`)}`)
  }
  return `{\n${indented(members, 2)}\n${INDENT}}`
}

function indented(lines: string[], depth: number): string {
  return lines.map((line) => INDENT.repeat(depth) + line).join(',\n')
}

/** The position of the value of a key of the outermost object. */
function topLevelValue(text: string, key: string): { from: number; to: number } | undefined {
  let depth = 0
  let from: number | undefined
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\],]/g)) {
    if (from !== undefined && depth === 1 && (token === ',' || token === '}')) {
      return { from, to: from + text.slice(from, index).trimEnd().length }
    }
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && token.endsWith(':') && JSON.parse(token.slice(0, -1)) === key) {
      const colon = index + token.length
      from = colon + text.slice(colon).search(/\S/)
    }
  }
  return undefined
}
