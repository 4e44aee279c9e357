import { cp, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { exists, fileContains, firstBytes } from './files.ts'
import { InstallError } from './install-error.ts'

/** Headers that the addon's two sources include. */
const REQUIRED_HEADERS = [
  'tensorflow/c/c_api.h',
  'tensorflow/c/eager/c_api.h',
  'tensorflow/core/platform/ctstring_internal.h',
]

/** `e_machine` of an ELF header, by Node's name of the architecture. */
const ELF_MACHINES: Record<string, number> = { x64: 62, arm64: 183 }

/** Copies lib/ and include/ from a folder, symbolic links as links. */
export async function copyFolder(path: string, deps: string): Promise<void> {
  for (const part of ['lib', 'include']) {
    if (!(await exists(join(path, part)))) throw new InstallError(`${path} has no folder ${part}`)
    await cp(join(path, part), join(deps, part), { recursive: true, verbatimSymlinks: true })
  }
}

/**
 * Checks what a source has put into `deps`, and links the names that the addon's linker expects: libtensorflow.so and
 * libtensorflow_framework.so. Throws an InstallError that names what is missing or unfit.
 */
export async function completeLayout(deps: string, architecture: string = process.arch): Promise<void> {
  for (const header of REQUIRED_HEADERS) {
    if (!(await exists(join(deps, 'include', header)))) throw new InstallError(`the source has no include/${header}`)
  }
  const lib = join(deps, 'lib')
  const names = (await exists(lib)) ? await readdir(lib) : []
  for (const [link, candidates] of [
    ['libtensorflow.so', /^libtensorflow(_cc)?\.so\.\d+$/],
    ['libtensorflow_framework.so', /^libtensorflow_framework\.so\.\d+$/],
  ] as const) {
    const library = names.find((name) => candidates.test(name))
    if (library === undefined) throw new InstallError(`the source has no lib/${link}.<version>`)
    await requireArchitecture(join(lib, library), architecture)
    await rm(join(lib, link), { force: true })
    await symlink(library, join(lib, link))
  }
}

async function requireArchitecture(library: string, architecture: string): Promise<void> {
  const header = await firstBytes(library, 20)
  const isElf = header.length === 20 && header.readUInt32BE(0) === 0x7f454c46
  if (!isElf) throw new InstallError(`${library} is not a Linux library`)
  const machine = header.readUInt16LE(18)
  if (machine === ELF_MACHINES[architecture]) return
  const found = Object.entries(ELF_MACHINES).find(([, value]) => value === machine)?.[0] ?? `ELF machine ${machine}`
  throw new InstallError(`${library} is built for ${found}, this is ${architecture}`)
}

/** Whether the library is built with CUDA: only then does it name the driver's library. */
export async function isCudaBuild(deps: string): Promise<boolean> {
  return await fileContains(join(deps, 'lib', 'libtensorflow_framework.so'), 'libcuda.so.1')
}
