import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { childEnvironment } from '../../server/config.ts'
import { childModule } from '../child-module.ts'
import { lastLines, runCommand } from '../run-command.ts'

/** A shared library that TensorFlow opens by name when it looks for a GPU. */
export interface Library {
  name: string
  /** The loader's error; undefined if it opens. */
  missing: string | undefined
}

const DRIVER = ['libcuda.so.1', 'libnvidia-ml.so.1']

/** By the first minor version of TensorFlow 2 that opens them, newest first. */
const CUDA_LIBRARIES: [minor: number, names: string[]][] = [
  [18, [...cuda12(), 'libcudnn.so.9']],
  [15, [...cuda12(), 'libcudnn.so.8']],
  [
    0,
    [
      'libcudart.so.11.0',
      'libcublas.so.11',
      'libcublasLt.so.11',
      'libcufft.so.10',
      'libcusolver.so.11',
      'libcusparse.so.11',
      'libcudnn.so.8',
    ],
  ],
]

function cuda12(): string[] {
  return [
    'libcudart.so.12',
    'libcublas.so.12',
    'libcublasLt.so.12',
    'libcufft.so.11',
    'libcusolver.so.11',
    'libcusparse.so.12',
  ]
}

/** The libraries that a CUDA build of that version (such as `2.21.0`) needs; the newest version's if it is unknown. */
export function librariesOf(tensorflow: string | undefined): string[] {
  const minor = tensorflow === undefined ? Infinity : Number(tensorflow.split('.')[1])
  return [...DRIVER, ...(CUDA_LIBRARIES.find(([oldest]) => minor >= oldest)?.[1] ?? [])]
}

/**
 * Tries to open them as libtensorflow would: from `deps/nvidia`, where install-tensorflow puts them, or wherever the
 * loader finds them.
 */
export async function checkLibraries(names: string[], deps: string): Promise<Library[]> {
  const paths = names.map((name) => bundled(deps, name) ?? name)
  const { code, stdout, stderr, signal } = await runCommand(
    process.execPath,
    [...childModule(new URL('./library-probe.ts', import.meta.url)), ...paths],
    { env: childEnvironment() },
  )
  if (code !== 0) throw new Error(`looking for shared libraries ended with ${signal ?? code}: ${lastLines(stderr)}`)
  const complaints = JSON.parse(lastLines(stdout, 1)) as Record<string, string | null>
  return names.map((name, i) => ({ name, missing: complaints[paths[i] ?? name] ?? undefined }))
}

function bundled(deps: string, name: string): string | undefined {
  const nvidia = join(deps, 'nvidia')
  if (!existsSync(nvidia)) return undefined
  return readdirSync(nvidia)
    .map((part) => join(nvidia, part, 'lib', name))
    .find((path) => existsSync(path))
}
