/** Prints docs/configuration.md from the table of the server's options: `npm run docs:config`. */
import { pathToFileURL } from 'node:url'
import { OPTIONS } from '../src/server/options.ts'

const HEADER = `# Configuration

Every option is an environment variable, or a line in a file \`.env\` in the working directory (the environment wins).
An empty value is the default, but for \`CUDA_VISIBLE_DEVICES\`. An invalid value stops the start; the message names the option.
Traces have OpenTelemetry's own variables (\`OTEL_*\`): see [monitoring](monitoring.md#traces).

<!-- Generated from src/server/options.ts by \`npm run docs:config\`; a test keeps the two equal. -->

| option | default | unit | effect |
| --- | --- | --- | --- |
`

interface DocumentedOption {
  default: string | number
  unit: string
  effect: string
  enum?: readonly string[]
  minimum?: number
  maximum?: number
}

export function configurationDocs(): string {
  const rows = Object.entries(OPTIONS as unknown as Record<string, DocumentedOption>).map(([name, option]) => {
    const fallback = option.default === '' ? '(empty)' : `\`${option.default}\``
    return `| \`${name}\` | ${fallback} | ${unit(option)} | ${option.effect} |\n`
  })
  return HEADER + rows.join('')
}

function unit({ unit: name, enum: values, minimum, maximum }: DocumentedOption): string {
  if (values) return values.map((value) => `\`${value}\``).join(', ')
  return minimum === undefined ? name : `${name}, ${minimum} to ${maximum}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(configurationDocs())
