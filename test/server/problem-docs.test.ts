import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { errorDocs } from '../../scripts/error-docs.ts'

describe('the documentation of the errors', () => {
  it('is the code’s: run `npm run docs:errors` after changing one', () => {
    expect(readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')).toBe(errorDocs())
  })
})
