import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileError, inFile } from '../repository/in-file.ts'
import { readPytorchLegacy } from './pytorch-legacy.ts'
import { readPytorchZip } from './pytorch-zip.ts'
import { readSafetensorsFile } from './safetensors-file.ts'
import { mergeShards, readShardIndex } from './shards.ts'
import type { WeightFileContents } from './stored-tensor.ts'
import { WeightFile } from './weight-file.ts'
import { weightsIn } from './weight-folder.ts'
import { describeOther, formatOf } from './weight-format.ts'

export interface Checkpoint extends WeightFileContents {
  /** Of all files of weights. */
  bytes: number
  /** Where the weights lie, and config.json, labels etc. beside them. */
  folder: string
  close(): void
}

/**
 * Opens what people save weights in: a file, known by its content and never by its name, or a folder of Hugging Face's or
 * timm's. Tensors are read when they are asked for, until `close`. Throws a plain Error with the file's name and what would help.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const info = statSync(path, { throwIfNoEntry: false })
  if (info === undefined) throw new Error(`${path}: there is no such file or folder`)
  const folder = info.isDirectory() ? path : dirname(path)
  const weights = info.isDirectory()
    ? join(
        path,
        inFile(path, () => weightsIn(path)),
      )
    : path
  const files: WeightFile[] = []
  const close = (): void => {
    for (const file of files) file.close()
  }
  const open = async (name: string): Promise<WeightFileContents> => {
    try {
      const file = new WeightFile(name)
      files.push(file)
      return await readContents(file)
    } catch (error) {
      throw fileError(name, error)
    }
  }
  try {
    const index = inFile(weights, () => readShardIndex(weights))
    const shards = new Map<string, WeightFileContents>()
    for (const shard of new Set(index?.values())) shards.set(shard, await open(join(folder, shard)))
    const contents = index ? mergeShards(index, shards) : await open(weights)
    return { ...contents, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), folder, close }
  } catch (error) {
    close()
    throw error
  }
}

function readContents(file: WeightFile): WeightFileContents | Promise<WeightFileContents> {
  switch (formatOf(file)) {
    case 'safetensors':
      return readSafetensorsFile(file)
    case 'zip':
      return readPytorchZip(file)
    case 'pickle':
      return readPytorchLegacy(file)
    default:
      throw new Error(describeOther(file))
  }
}
