export interface SnippetRequest {
  /** Absolute, with its query. */
  url: string
  /** Name of the picture's file, and its media type. */
  file: string
  type: string
  /** Whether the server asks for an API key. The key itself stays out: what is copied is pasted anywhere. */
  needsKey: boolean
}

export type Language = 'curl' | 'JavaScript' | 'Python'

/** The request in each language, complete: it runs in a folder that holds the picture. */
export const SNIPPETS: Record<Language, (request: SnippetRequest) => string> = {
  curl({ url, file, type, needsKey }) {
    const lines = [`curl ${shell(url)}`, `-H ${shell(`content-type: ${type}`)}`]
    if (needsKey) lines.push('-H "authorization: Bearer $API_KEY"')
    lines.push(`--data-binary ${shell(`@${file}`)}`)
    return lines.join(' \\\n  ')
  },

  JavaScript({ url, file, type, needsKey }) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the snippet's.
    const key = needsKey ? ', authorization: `Bearer ${process.env.API_KEY}`' : ''
    return `import { readFile } from 'node:fs/promises'

const response = await fetch(${quote(url)}, {
  method: 'POST',
  headers: { 'content-type': ${quote(type)}${key} },
  body: await readFile(${quote(file)}),
})
const { results } = await response.json()
console.log(results[0])`
  },

  Python({ url, file, type, needsKey }) {
    const key = needsKey ? `, 'Authorization': 'Bearer ' + os.environ['API_KEY']` : ''
    return `import json${needsKey ? '\nimport os' : ''}
from urllib.request import Request, urlopen

with open(${quote(file)}, 'rb') as picture:
    request = Request(${quote(url)}, picture.read(), {'Content-Type': ${quote(type)}${key}})
with urlopen(request) as response:
    print(json.load(response)['results'][0])`
  },
}

/** One word of a POSIX shell, whatever is in it. */
function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A string of JavaScript and Python alike. */
function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`
}
