import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What is asked for: an install that matches in all of it need not be made again. */
export interface Request {
  from: 'wheel' | 'tarball' | 'dir'
  gpu: boolean
  /** sha256 of the files that libtensorflow comes from, by name. */
  sources: Record<string, string>
  /** The npm package, with its version. */
  addon: string
  /** `linux-x64`, say. */
  platform: string
}

/** What was found when the install was tried. */
export interface InstallRecord {
  request: Request
  /** Version of libtensorflow. */
  tensorflow: string
  /** Whether libtensorflow can use a GPU. */
  cuda: boolean
  /** On the machine that installed. */
  devices: string[]
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
