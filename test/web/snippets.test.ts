import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { SNIPPETS, type SnippetRequest } from '../../web/src/snippets.ts'

const REQUEST: SnippetRequest = {
  url: 'http://127.0.0.1:8080/classify?model=digits&version=1&include=top',
  file: 'drawing.png',
  type: 'image/png',
  needsKey: false,
}
const LANGUAGES = Object.entries(SNIPPETS)

describe('the request as code', () => {
  it.each(LANGUAGES)('names address, file and type in %s, and no key where none is asked for', (_, snippet) => {
    const code = snippet(REQUEST)
    for (const part of [REQUEST.url, REQUEST.file, REQUEST.type]) expect(code).toContain(part)
    expect(code).not.toContain('API_KEY')
  })

  it.each(LANGUAGES)('takes the key from the environment in %s', (_, snippet) => {
    const code = snippet({ ...REQUEST, needsKey: true })
    expect(code).toContain('API_KEY')
    expect(code).toMatch(/authorization/i)
  })

  it('leaves a hostile name of a file one word of the shell', () => {
    const file = 'it\'s $(touch here) `x` \\ ".png'
    const words = SNIPPETS.curl({ ...REQUEST, file }).replace(/^curl/, `printf '%s\\n'`)
    const { stdout } = spawnSync('sh', ['-c', words], { encoding: 'utf8' })
    expect(stdout.split('\n')).toContain(`@${file}`)
  })

  it('leaves it one string of JavaScript', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it must not become one.
    const file = "it's ${1} \\ \n.png"
    const literal = /readFile\((.*)\)/.exec(SNIPPETS.JavaScript({ ...REQUEST, file }))?.[1] ?? ''
    expect(new Function(`return ${literal}`)()).toBe(file)
  })
})
