import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { concatenate } from '../engines/concatenate.ts'
import type { InputSpec } from '../repository/input-spec.ts'
import { SampleReader } from './sample-reader.ts'

/** One input: an image file, or one tensor of a file of tensors. */
interface Sample {
  path: string
  /** Position in its file. */
  index: number
  /** Its class: the top-level folder that it lies in. */
  label: string | undefined
}

interface SampleBatch {
  /** `[size, C, height, width]`, normalised. */
  input: Float32Array
  labels: (string | undefined)[]
  size: number
}

/**
 * The inputs in a folder and its subfolders, in the order of their paths. Each pass reads the files again, so their
 * number is not limited by memory.
 */
export class SampleSet {
  readonly #samples: Sample[]
  readonly #reader: SampleReader

  private constructor(samples: Sample[], reader: SampleReader) {
    this.#samples = samples
    this.#reader = reader
  }

  /** Throws a plain Error that names the unreadable file or the empty folder. */
  static open(directory: string, spec: InputSpec): SampleSet {
    if (!existsSync(directory)) throw new Error(`${directory} does not exist`)
    const reader = new SampleReader(spec)
    const samples = filesBelow(directory).flatMap((path): Sample[] => {
      const [first, ...rest] = relative(directory, path).split(sep)
      const label = rest.length > 0 ? first : undefined
      return Array.from({ length: reader.count(path) }, (_, index) => ({ path, index, label }))
    })
    if (samples.length === 0) throw new Error(`${directory} holds no images and no tensors (.f32, .safetensors)`)
    return new SampleSet(samples, reader)
  }

  get size(): number {
    return this.#samples.length
  }

  /** At most `count` of them, evenly spread, so that every folder has its share. */
  spread(count: number): SampleSet {
    const taken = Math.min(count, this.size)
    return this.#of(
      Array.from({ length: taken }, (_, i) => this.#samples[Math.floor((i * this.size) / taken)] as Sample),
    )
  }

  /** Holds out every fourth sample. A single sample is in both sets. */
  split(): { kept: SampleSet; heldOut: SampleSet } {
    if (this.size === 1) return { kept: this, heldOut: this }
    const isHeldOut = (i: number): boolean => i % 4 === 1
    return {
      kept: this.#of(this.#samples.filter((_, i) => !isHeldOut(i))),
      heldOut: this.#of(this.#samples.filter((_, i) => isHeldOut(i))),
    }
  }

  async *batches(batchSize: number): AsyncGenerator<SampleBatch> {
    for (let from = 0; from < this.size; from += batchSize) {
      const samples = this.#samples.slice(from, from + batchSize)
      const rows = await Promise.all(samples.map(({ path, index }) => this.#reader.read(path, index)))
      yield { input: concatenate(rows), labels: samples.map(({ label }) => label), size: samples.length }
    }
  }

  #of(samples: Sample[]): SampleSet {
    return new SampleSet(samples, this.#reader)
  }
}

/** Hidden files are passed over. */
function filesBelow(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
  return names.sort().flatMap((name) => {
    const path = join(directory, name)
    return statSync(path).isDirectory() ? filesBelow(path) : [path]
  })
}
