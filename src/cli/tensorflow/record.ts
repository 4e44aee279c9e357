import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What is asked for. An install of an equal request need not be made again. */
export interface Request {
  from: 'wheel' | 'tarball' | 'dir'
  gpu: boolean
  /** sha256 of the files that libtensorflow comes from, by name. */
  sources: Record<string, string>
  /** The npm package, with its version. */
  addon: string
  /** sha256 of the package-lock.json that pins it and its packages. */
  packages: string
  /** Such as `linux-x64`. */
  platform: string
}

/** The result of testing an install. */
export interface InstallRecord {
  request: Request
  /** Version of libtensorflow. */
  tensorflow: string
  /** Whether libtensorflow can use a GPU. */
  cuda: boolean
  /** Of the machine that installed. */
  devices: string[]
  /** sha256 over all installed files, headers apart. */
  files: string
  node: string
  installed_at: string
}

export const RECORD_FILE = 'install.json'

/** Undefined where there is no finished install. */
export async function readRecord(folder: string): Promise<InstallRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD_FILE), 'utf8')) as InstallRecord
  } catch {
    return undefined
  }
}
