import { createHash } from 'node:crypto'
import { chmodSync, createWriteStream, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { vi } from 'vitest'
import { ZipFile } from 'yazl'
import type { WHEELS } from '../../../src/cli/tensorflow/wheels.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

export const WHEEL = 'tensorflow_cpu-9.9.9-cp311-cp311-manylinux_2_27_x86_64.whl'

/** Copies the wheel that the test made, as pip does, and refuses one with another hash. */
const PYTHON3 = `
const { createHash } = require('node:crypto')
const { copyFileSync, existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const fail = (text) => { console.error(text); process.exit(1) }
const value = (name) => process.argv[process.argv.indexOf(name) + 1]
if (existsSync(join(__dirname, 'no-pip'))) fail('/usr/bin/python3: No module named pip')
if (existsSync(join(__dirname, 'no-space'))) fail('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device')
const requirement = readFileSync(value('--requirement'), 'utf8')
const wheel = join(__dirname, '${WHEEL}')
const sha256 = createHash('sha256').update(readFileSync(wheel)).digest('hex')
if (requirement.trim() !== 'tensorflow-cpu==9.9.9 --hash=sha256:' + sha256) {
  fail('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.')
}
if (!process.env.TMPDIR) fail('no TMPDIR')
copyFileSync(wheel, join(value('--dest'), '${WHEEL}'))
`

/** A package whose addon is a file that the "build" writes. In sh, which starts sooner than Node and runs often. */
const NPM = `
here=\${0%/*}
if [ "$1" = ci ]; then
  if [ ! -e package-lock.json ]; then echo 'npm ci needs a package-lock.json' >&2; exit 1; fi
  while [ "$1" != --prefix ]; do shift; done
  folder=$2/node_modules/@tensorflow/tfjs-node-gpu
  /bin/mkdir -p "$folder"
  echo '{"version": "4.22.0", "main": "index.js"}' >"$folder/package.json"
  /bin/cat >"$folder/index.js" <<'END'
    const { existsSync } = require('node:fs')
    if (!existsSync(__dirname + '/addon.node')) throw new Error('libtensorflow.so.2: cannot open shared object file')
    if (process.env.TF_FAKE_CRASH) process.kill(process.pid, 'SIGSEGV')
    exports.version = { 'tfjs-node': '4.22.0' }
    exports.backend = () => ({ isUsingGpuDevice: false, binding: { TF_Version: '9.9.9' } })
    exports.ones = () => null
    exports.conv2d = () => ({ dataSync: () => new Float32Array(72).fill(36) })
END
else
  if [ -e "$here/broken-compiler" ]; then echo 'fatal error: no' >&2; exit 1; fi
  if [ ! -e deps/lib/libtensorflow.so ]; then echo 'cannot find -ltensorflow' >&2; exit 1; fi
  : >addon.node
  /bin/mkdir build
fi
`

/** A PATH with a compiler, make, pip and npm that only look like them, and a wheel with the names of a real one's parts. */
export async function fakeTools(tools = ['g++', 'make', 'python3', 'npm']) {
  const bin = temporaryFolder()
  for (const tool of tools) {
    const log = `echo "\${0##*/} $1" >>"\${0%/*}/calls"\n`
    const inNode = `require('node:fs').appendFileSync(__dirname + '/calls', '${tool} ' + process.argv[2] + '\\n')\n${PYTHON3}`
    const script = tool === 'python3' ? `#!${process.execPath}\n${inNode}` : `#!/bin/sh\n${log}`
    writeFileSync(join(bin, tool), tool === 'npm' ? script + NPM : script)
    chmodSync(join(bin, tool), 0o755)
  }
  symlinkSync('/bin/sh', join(bin, 'sh'))
  vi.stubEnv('PATH', bin)
  vi.stubEnv('CXX', undefined)
  await writeWheel(join(bin, WHEEL), wheelEntries())
  return {
    bin,
    /** What was run since the last look, in order. */
    calls(): string[] {
      const log = join(bin, 'calls')
      const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
      writeFileSync(log, '')
      return lines.filter((line) => line !== '')
    },
    /** Changes how a tool behaves: `no-pip`, `no-space`, `broken-compiler`. */
    set(flag: string): void {
      writeFileSync(join(bin, flag), '')
    },
    wheels: pinned(join(bin, WHEEL)),
  }
}

function pinned(path: string): typeof WHEELS {
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
  return { cpu: { [process.arch]: { [WHEEL]: sha256 } }, gpu: {} }
}

export function wheelEntries(): Record<string, string | Buffer> {
  return {
    'tensorflow/include/tensorflow/c/c_api.h': '// c_api',
    'tensorflow/include/tensorflow/c/eager/c_api.h': '// eager',
    'tensorflow/include/tensorflow/core/platform/ctstring_internal.h': '// strings',
    'tensorflow/include/Eigen/Core': '// not needed',
    'tensorflow/libtensorflow_cc.so.2': library(),
    'tensorflow/libtensorflow_framework.so.2': library(),
    'tensorflow/python/_pywrap.so': library(),
  }
}

/** The head of an ELF file for this machine, or for another. */
export function library(machine = process.arch === 'arm64' ? 183 : 62, text = ''): Buffer {
  const header = Buffer.alloc(64)
  header.writeUInt32BE(0x7f454c46)
  header.writeUInt16LE(machine, 18)
  return Buffer.concat([header, Buffer.from(text)])
}

export async function writeWheel(path: string, entries: Record<string, string | Buffer>): Promise<void> {
  const zip = new ZipFile()
  for (const [name, content] of Object.entries(entries)) zip.addBuffer(Buffer.from(content), name)
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
}

/** A folder with lib/ and include/, as a build of libtensorflow leaves it. */
export function libraryFolder(framework = library()): string {
  const folder = temporaryFolder({
    'include/tensorflow/c/c_api.h': '',
    'include/tensorflow/c/eager/c_api.h': '',
    'include/tensorflow/core/platform/ctstring_internal.h': '',
    'lib/libtensorflow.so.2.18.0': library(),
    'lib/libtensorflow_framework.so.2.18.0': framework,
  })
  mkdirSync(join(folder, 'lib'), { recursive: true })
  symlinkSync('libtensorflow.so.2.18.0', join(folder, 'lib/libtensorflow.so.2'))
  symlinkSync('libtensorflow_framework.so.2.18.0', join(folder, 'lib/libtensorflow_framework.so.2'))
  return folder
}
