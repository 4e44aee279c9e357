import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import type { JournalHeader, Row, Table } from './journal.ts'

type Schema = ConstructorParameters<typeof ParquetWriter>[0]['schema']

/** Numbers of all embeddings in a row group, which is made in memory. */
const GROUP_VALUES = 2 ** 19

const CLASS_COLUMNS: Schema = [
  { name: 'label', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  { name: 'probability', type: 'FLOAT', repetition_type: 'REQUIRED' },
]

/** Columns `path`, `embedding` (a list of float32), and with a classifier `label` and `probability`. */
function schemaOf({ classes }: JournalHeader): Schema {
  return [
    { name: 'root', num_children: classes > 0 ? 4 : 2 },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'embedding', converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
    ...(classes > 0 ? CLASS_COLUMNS : []),
  ]
}

/** The file's metadata has the header's fields under `resnet-serve`. */
export async function writeParquet(path: string, { header, rows }: Table): Promise<void> {
  const kvMetadata = [{ key: 'resnet-serve', value: JSON.stringify(header) }]
  const parquet = new ParquetWriter({ writer: fileWriter(path), schema: schemaOf(header), kvMetadata })
  const groupRows = Math.max(1, Math.floor(GROUP_VALUES / header.dimensions))
  let group: Row[] = []
  const write = async (): Promise<void> => {
    const columnData = [
      { name: 'path', data: group.map(({ path: picture }) => picture) },
      // Values hardly repeat: no dictionary, and nothing to compress.
      {
        name: 'embedding',
        data: group.map(({ embedding }) => Array.from(embedding)),
        encoding: 'PLAIN' as const,
        codec: 'UNCOMPRESSED' as const,
      },
      { name: 'label', data: group.map(({ label }) => label) },
      { name: 'probability', data: group.map(({ probability }) => probability) },
    ]
    const columns = columnData.slice(0, header.classes > 0 ? 4 : 2)
    await parquet.write({ columnData: columns, rowGroupSize: groupRows })
    group = []
  }
  for await (const row of rows()) if (group.push(row) === groupRows) await write()
  if (group.length > 0) await write()
  await parquet.finish()
}
