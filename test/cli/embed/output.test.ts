import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { journalHeader, type Row, type Table } from '../../../src/cli/embed/journal.ts'
import { npyHeader } from '../../../src/cli/embed/npy.ts'
import { writeOutput } from '../../../src/cli/embed/output.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const ROWS: Row[] = [
  { path: 'a.png', embedding: new Float32Array([0.1, -2]), label: 'x', probability: 0.5 },
  { path: 'b\n.png', embedding: new Float32Array([3, 1e-7]), label: 'y', probability: 1 },
]

function table(rows: Row[], classes = 2): Table {
  const model = { name: 'digits', version: '1', embeddingSpace: 'abc', dimensions: 2, classes }
  const all = async function* () {
    yield* rows
  }
  return { header: journalHeader(model, false, null), count: rows.length, rows: all }
}

describe('the output', () => {
  it('is lines of JSON with the shortest numbers that read back the same', async () => {
    const path = join(temporaryFolder(), 'x.jsonl')
    await writeOutput(path, 'jsonl', table(ROWS))
    expect(readFileSync(path, 'utf8')).toBe(
      '{"path":"a.png","embedding":[0.1,-2],"label":"x","probability":0.5}\n' +
        '{"path":"b\\n.png","embedding":[3,1e-7],"label":"y","probability":1}\n',
    )
  })

  it('has no label where the model has no classifier', async () => {
    const path = join(temporaryFolder(), 'x.jsonl')
    await writeOutput(path, 'jsonl', table([{ path: 'a', embedding: new Float32Array([1, 2]) }], 0))
    expect(readFileSync(path, 'utf8')).toBe('{"path":"a","embedding":[1,2]}\n')
  })

  it('is an array of NumPy, with the paths beside it', async () => {
    const path = join(temporaryFolder(), 'x.npy')
    const files = await writeOutput(path, 'npy', table(ROWS))
    const bytes = readFileSync(path)
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\0')
    expect(bytes.toString('latin1', 10, 128)).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 2\), \} *\n$/,
    )
    expect(bytes.subarray(128)).toEqual(Buffer.from(new Float32Array([0.1, -2, 3, 1e-7]).buffer))
    expect(files[1]).toBe(path.replace('.npy', '.paths.jsonl'))
    expect(
      readFileSync(files[1] as string, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(ROWS.map(({ embedding: _, ...rest }) => rest))
  })

  it.each([0, 7, 1_000_000_000])('aligns the values of %i rows to 64 bytes', (rows) => {
    const header = npyHeader(rows, 2048)
    expect(header.length % 64).toBe(0)
    expect(header.readUInt16LE(8)).toBe(header.length - 10)
  })

  it('replaces a file only by a whole one', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.jsonl')
    writeFileSync(path, 'before')
    const broken: Table = {
      ...table(ROWS),
      rows: async function* () {
        yield ROWS[0] as Row
        throw new Error('the disk broke')
      },
    }
    await expect(writeOutput(path, 'jsonl', broken)).rejects.toThrow('the disk broke')
    expect(readFileSync(path, 'utf8')).toBe('before')
    expect(readdirSync(folder)).toEqual(['x.jsonl'])
  })

  it('is a parquet file in several row groups, also without rows', async () => {
    const path = join(temporaryFolder(), 'x.parquet')
    for (const rows of [ROWS, [], Array.from({ length: 3 }, () => ROWS[0] as Row)]) {
      await writeOutput(path, 'parquet', table(rows))
      const bytes = readFileSync(path)
      expect(bytes.toString('latin1', 0, 4) + bytes.toString('latin1', bytes.length - 4)).toBe('PAR1PAR1')
    }
  })
})
