// What a Markdown file has that can be checked: its commands, its links, and the anchors that links may lead to.
import { readFileSync } from 'node:fs'
import GithubSlugger from 'github-slugger'
import { marked } from 'marked'

const SHELLS = new Set(['sh', 'bash', 'shell', 'console'])

/**
 * `blocks`: code that a reader would type, `{ code, notRun, serves, exit }`, as the comment right before it says:
 *
 *     <!-- not run: REASON -->   it is not run, and why
 *     <!-- serves -->            it starts a server, which the page's later blocks ask
 *     <!-- exits: N -->          it ends with this code; 0 unless said
 *
 * A block without a language counts as well, so that no command escapes by being indented; `text` is for what is none.
 *
 * @param {string} path
 */
export function readMarkdown(path) {
  const tokens = marked.lexer(readFileSync(path, 'utf8'))
  const slugger = new GithubSlugger()
  const blocks = []
  const links = []
  const anchors = new Set()
  let comment = ''
  // Tokens come in the order of the document.
  marked.walkTokens(tokens, (token) => {
    if (token.type === 'link' || token.type === 'image') links.push(token.href)
    if (token.type === 'heading') anchors.add(slugger.slug(plain(token.tokens)))
    if (token.type === 'code' && isCommand(token)) blocks.push({ code: token.text, ...instructions(comment) })
    if (token.type === 'html') comment = token.text
    else if (token.type !== 'space') comment = ''
  })
  return { blocks, links, anchors }
}

/** @param {import('marked').Tokens.Code} token */
function isCommand({ lang, codeBlockStyle }) {
  return codeBlockStyle === 'indented' || SHELLS.has(lang ?? '')
}

/** @param {string} comment */
function instructions(comment) {
  return {
    notRun: comment.match(/<!-- not run: (.+?) -->/s)?.[1],
    serves: /<!-- serves -->/.test(comment),
    exit: Number(comment.match(/<!-- exits: (\d+) -->/)?.[1] ?? 0),
  }
}

/**
 * The text of a heading, as it is read.
 * @param {import('marked').Token[]} tokens
 * @returns {string}
 */
function plain(tokens) {
  return tokens.map((token) => (token.tokens ? plain(token.tokens) : (token.text ?? ''))).join('')
}
