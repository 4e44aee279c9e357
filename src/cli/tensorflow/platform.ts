import { InstallError } from './install-error.ts'

/** The wheels are built against this version; older ones lack symbols that they need. */
const MINIMUM_GLIBC = 2.27

/** Throws an InstallError on a system that no libtensorflow is built for. */
export function requirePlatform(platform: string = process.platform, glibc: string | undefined = glibcVersion()): void {
  if (platform !== 'linux') throw new InstallError(`libtensorflow is installed on Linux only, this is ${platform}`)
  if (glibc === undefined) throw new InstallError('libtensorflow needs glibc, which this system (musl?) does not have')
  if (Number(glibc) < MINIMUM_GLIBC) {
    throw new InstallError(`libtensorflow needs glibc ${MINIMUM_GLIBC} or newer, this system has ${glibc}`)
  }
}

/** Undefined on systems with another C library. */
export function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime
}
