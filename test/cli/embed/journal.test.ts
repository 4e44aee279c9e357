import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Journal, type JournalHeader, journalHeader, type Row } from '../../../src/cli/embed/journal.ts'
import type { Answer, Failed } from '../../../src/cli/predictor/predictor.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const MODEL = { name: 'digits', version: '1', embeddingSpace: 'abc', dimensions: 3, classes: 2 }
const HEADER = journalHeader(MODEL, false, null)
const PATHS = ['a.png', 'b.png', 'c.png']

const answer = (path: string, value = 0.1): Answer => ({
  path,
  // At an odd place of a larger buffer, as the engine's outputs are.
  embedding: new Float32Array([9, value, -value, 1e-30]).subarray(1),
  top: [{ label: 'x', class_id: 0, probability: 0.75 }],
})
const failure = (path: string): Failed => ({ path, error: { code: 'undecodable_image', detail: 'no image' } })

async function open(path: string, header: JournalHeader = HEADER, restart = false): Promise<Journal> {
  const journal = await Journal.open(path, header, restart)
  onTestFinished(() => journal.close())
  return journal
}

async function read(journal: Journal, paths = PATHS) {
  const index = await journal.index(paths)
  const rows: Row[] = []
  for await (const row of journal.table(index).rows()) rows.push(row)
  const failures: Failed[] = []
  for await (const each of journal.failures(index)) failures.push(each)
  return { rows, failures, count: journal.table(index).count }
}

const newPath = (): string => join(temporaryFolder(), 'x.journal')

describe('the journal', () => {
  it('gives back rows, bit for bit and in the order of the list, and failures apart', async () => {
    const path = newPath()
    const journal = await open(path)
    await Promise.all([
      journal.append(answer('c.png')),
      journal.append(failure('b.png')),
      journal.append(answer('a.png')),
    ])
    const { rows, failures, count } = await read(await open(path))
    expect(rows.map((row) => row.path)).toEqual(['a.png', 'c.png'])
    expect(rows[0]).toEqual({
      path: 'a.png',
      embedding: new Float32Array([0.1, -0.1, 1e-30]),
      label: 'x',
      probability: 0.75,
    })
    expect(failures).toEqual([failure('b.png')])
    expect(count).toBe(2)
  })

  it('passes over a line that was cut off at any place, and goes on behind it', async () => {
    const whole = newPath()
    const first = await open(whole)
    await first.append(answer('a.png'))
    const kept = readFileSync(whole)
    await first.append(answer('b.png'))
    const bytes = readFileSync(whole)
    for (const length of [kept.length + 1, kept.length + 20, bytes.length - 1]) {
      const path = newPath()
      writeFileSync(path, bytes.subarray(0, length))
      const journal = await open(path)
      await journal.append(answer('c.png'))
      const { rows } = await read(await open(path))
      // Where all but the newline was there, the line counts.
      const expected = length === bytes.length - 1 ? PATHS : ['a.png', 'c.png']
      expect(rows.map((row) => row.path)).toEqual(expected)
    }
  })

  it.each([0, 1, 40])('begins anew where %i bytes of its first line had been written', async (length) => {
    const path = newPath()
    writeFileSync(path, JSON.stringify(HEADER).slice(0, length))
    const journal = await open(path)
    await journal.append(answer('a.png'))
    expect(readFileSync(path, 'utf8').split('\n')[0]).toBe(JSON.stringify(HEADER))
    expect((await read(journal)).count).toBe(1)
  })

  it('takes the last of several lines of one picture, and none of pictures that are not asked for', async () => {
    const path = newPath()
    const journal = await open(path)
    for (const each of [failure('a.png'), answer('b.png', 1), answer('a.png', 2), answer('z.png')])
      await journal.append(each)
    const { rows, failures } = await read(journal)
    expect(rows.map((row) => [row.path, row.embedding[0]])).toEqual([
      ['a.png', 2],
      ['b.png', 1],
    ])
    expect(failures).toEqual([])
  })

  it('keeps names with line breaks and quotes', async () => {
    const name = 'a\n"\u2028ü.png'
    const journal = await open(newPath())
    await journal.append(answer(name))
    expect((await read(journal, [name])).rows[0]?.path).toBe(name)
  })

  it.each([
    [
      'another model',
      journalHeader({ ...MODEL, name: 'letters' }, false, null),
      /model is digits there and letters now/,
    ],
    ['another space', journalHeader({ ...MODEL, embeddingSpace: 'def' }, false, null), /embedding_space is abc/],
    ['embeddings of length 1', journalHeader(MODEL, true, null), /normalize is false there and true now/],
    ['another shard', journalHeader(MODEL, false, '1/2'), /shard is null there and 1\/2 now/],
  ])('is refused to %s, unless it shall begin anew', async (_, header, message) => {
    const path = newPath()
    await (await open(path)).append(answer('a.png'))
    await expect(Journal.open(path, header, false)).rejects.toThrow(message)
    expect((await read(await open(path, header, true))).count).toBe(0)
  })

  it('does not take a file of something else for its own', async () => {
    const path = newPath()
    appendFileSync(path, 'shopping\nmilk\n')
    await expect(Journal.open(path, HEADER, false)).rejects.toThrow(/is no journal/)
    expect(readFileSync(path, 'utf8')).toBe('shopping\nmilk\n')
  })
})
