import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { float32ArrayToJson } from '../../routes/float32-json.ts'
import type { Format } from './format.ts'
import type { Row, Table } from './journal.ts'
import { npyHeader, valuesOf } from './npy.ts'
import { writeParquet } from './parquet.ts'

/** Writes rows one by one; files that are there are replaced only by whole ones. Returns the files written. */
export async function writeOutput(path: string, format: Format, table: Table): Promise<string[]> {
  if (format === 'npy') {
    const paths = path.replace(/\.npy$/, '.paths.jsonl')
    await writeText(paths, pathLines(table.rows()))
    await writeText(path, npyChunks(table))
    return [path, paths]
  }
  if (format === 'jsonl') await writeText(path, jsonLines(table.rows()))
  else await replace(path, (file) => writeParquet(file, table))
  return [path]
}

function writeText(path: string, chunks: AsyncIterable<string | Buffer>): Promise<void> {
  return replace(path, (file) => pipeline(Readable.from(chunks), createWriteStream(file)))
}

async function replace(path: string, write: (file: string) => Promise<void>): Promise<void> {
  const part = `${path}.part`
  try {
    await write(part)
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
}

async function* jsonLines(rows: AsyncIterable<Row>): AsyncGenerator<string> {
  for await (const { path, embedding, ...rest } of rows) {
    const others = JSON.stringify(rest).slice(1)
    const separator = others === '}' ? '' : ','
    yield `{"path":${JSON.stringify(path)},"embedding":${float32ArrayToJson(embedding)}${separator}${others}\n`
  }
}

/** What `.npy` has no place for. */
async function* pathLines(rows: AsyncIterable<Row>): AsyncGenerator<string> {
  for await (const { embedding: _, ...rest } of rows) yield `${JSON.stringify(rest)}\n`
}

async function* npyChunks({ header, count, rows }: Table): AsyncGenerator<Buffer> {
  yield npyHeader(count, header.dimensions)
  for await (const { embedding } of rows()) yield valuesOf(embedding)
}
