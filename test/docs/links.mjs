// Every relative link of every Markdown file leads somewhere, anchors included, and every page under docs/ is found from the
// README.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { readMarkdown } from './markdown.mjs'

const README = 'README.md'

/**
 * What is wrong, a sentence each; in the working directory.
 * @returns {string[]}
 */
export function brokenLinks() {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'])
  const pages = new Map(
    `${listed}`
      .trim()
      .split('\n')
      .filter((path) => existsSync(path))
      .map((path) => [path, readMarkdown(path)]),
  )
  const broken = []
  const found = new Set([README])
  const linksOf = (path) => (pages.get(path)?.links ?? []).filter((href) => !/^[a-z]+:/i.test(href))
  const target = (path, href) => {
    const [file, anchor] = href.split('#', 2)
    return { file: file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file))), anchor }
  }
  for (const path of pages.keys()) {
    for (const href of linksOf(path)) {
      const { file, anchor } = target(path, href)
      if (!existsSync(file)) broken.push(`${path}: ${href} leads nowhere`)
      else if (anchor && pages.has(file) && !pages.get(file).anchors.has(anchor))
        broken.push(`${path}: ${href}: there is no such heading`)
    }
  }
  // A set yields what is added while it is walked.
  for (const path of found) for (const href of linksOf(path)) found.add(target(path, href).file)
  for (const path of pages.keys())
    if (path.startsWith('docs/') && !found.has(path)) broken.push(`${path} is not found from ${README}`)
  return broken
}
