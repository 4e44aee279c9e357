import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { takeShard } from '../../../src/cli/embed/shard.ts'
import { listPictures, readPicture } from '../../../src/cli/predictor/pictures.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const folder = (): string =>
  temporaryFolder({ 'b/2.PNG': '', 'b/1.jpg': '', 'a.webp': '', 'a[1].png': '', 'c.txt': '', '.hidden/x.png': '' })

describe('listPictures', () => {
  it('finds a folder’s pictures by their extension, in the order of their names', async () => {
    const root = folder()
    expect(await listPictures([root])).toEqual(
      ['a.webp', 'a[1].png', 'b/1.jpg', 'b/2.PNG'].map((name) => join(root, name)),
    )
  })

  it('expands globs, takes files as they are named, and lists each once', async () => {
    const root = folder()
    const names = [join(root, 'b/*.jpg'), join(root, 'a[1].png'), join(root, 'c.txt'), join(root, 'b/../b/1.jpg')]
    expect(await listPictures(names)).toEqual(['a[1].png', 'b/1.jpg', 'c.txt'].map((name) => join(root, name)))
  })

  it.each([
    ['a file that is not there', 'missing.png', /missing.png does not exist/],
    ['a glob without matches', '*.gif', /no file matches/],
    ['a folder without pictures', 'empty', /holds no .png/],
  ])('refuses %s', async (_, name, message) => {
    const root = folder()
    mkdirSync(join(root, 'empty'))
    await expect(listPictures([join(root, name)])).rejects.toThrow(message)
  })
})

describe('takeShard', () => {
  it('gives every picture to exactly one of n machines', () => {
    const paths = Array.from({ length: 11 }, (_, i) => `${i}`)
    const shards = [0, 1, 2].map((index) => takeShard(paths, { index, count: 3 }))
    expect(shards.flat().sort()).toEqual([...paths].sort())
    expect(shards.map((shard) => shard.length)).toEqual([4, 4, 3])
  })
})

describe('readPicture', () => {
  it.each([
    ['too large', 'large', 'payload_too_large'],
    ['a folder', 'd', 'missing_input'],
    ['not there', 'x', 'missing_input'],
  ])('fails as the picture’s own fault where it is %s', async (_, name, code) => {
    const root = temporaryFolder({ large: '12345', 'd/e': '' })
    await expect(readPicture(join(root, name), 4)).rejects.toMatchObject({ code })
  })
})
