import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withTemporaryModel } from '../../../src/engines/tensorflow/temporary-model.ts'
import { builtPath } from '../../helpers/built.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const BYTES = Uint8Array.of(1, 2, 3)

describe('withTemporaryModel', () => {
  it('shows the model to its loader, and to no other user', async () => {
    const place = temporaryFolder()
    await withTemporaryModel(
      BYTES,
      async (folder) => {
        expect([...readFileSync(join(folder, 'saved_model.pb'))]).toEqual([1, 2, 3])
        expect(statSync(folder).mode & 0o777).toBe(0o700)
        expect(statSync(join(folder, 'saved_model.pb')).mode & 0o777).toBe(0o600)
      },
      [place],
    )
  })

  it.each([
    ['loaded', async () => 'session'],
    ['refused', async () => Promise.reject(new Error('no such op'))],
  ])('leaves nothing behind once it was %s', async (_, load) => {
    const place = temporaryFolder()
    await withTemporaryModel(BYTES, load as () => Promise<string>, [place]).catch(() => {})
    expect(readdirSync(place)).toEqual([])
  })

  it('leaves nothing behind when the process ends meanwhile', () => {
    const place = temporaryFolder()
    const module = builtPath('engines/tensorflow/temporary-model.ts')
    const script = `
      import { readdirSync } from 'node:fs'
      import { withTemporaryModel } from ${JSON.stringify(module)}
      void withTemporaryModel(new Uint8Array(3), () => new Promise(() => {}), [${JSON.stringify(place)}])
      process.exit(readdirSync(${JSON.stringify(place)}).length)`
    const arguments_ = ['--input-type=module', '--eval', script]
    expect(spawnSync(process.execPath, arguments_, { stdio: 'inherit' }).status).toBe(1)
    expect(readdirSync(place)).toEqual([])
  })

  it.skipIf(process.platform !== 'linux')('leaves no weights behind when the process is killed meanwhile', async () => {
    const place = temporaryFolder()
    const module = builtPath('engines/tensorflow/temporary-model.ts')
    const script = `
      import { readFileSync } from 'node:fs'
      import { withTemporaryModel } from ${JSON.stringify(module)}
      void withTemporaryModel(new Uint8Array(3000), async (folder) => {
        if (readFileSync(folder + '/saved_model.pb').length === 3000) process.kill(process.pid, 'SIGKILL')
      }, [${JSON.stringify(place)}])`
    const arguments_ = ['--input-type=module', '--eval', script]
    expect(spawnSync(process.execPath, arguments_, { stdio: 'inherit' }).signal).toBe('SIGKILL')
    const files = readdirSync(place, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files).toEqual([])
  })

  it('holds the weights itself where the system has no links to open files', async () => {
    const place = temporaryFolder()
    const load = async (folder: string) => {
      expect(statSync(join(folder, 'saved_model.pb')).mode & 0o777).toBe(0o600)
      return [...readFileSync(join(folder, 'saved_model.pb'))]
    }
    expect(await withTemporaryModel(BYTES, load, [place], '/nowhere')).toEqual([1, 2, 3])
    expect(readdirSync(place)).toEqual([])
  })

  it('takes the next place when one cannot be written to', async () => {
    const [file, place] = [join(temporaryFolder(), 'file'), temporaryFolder()]
    writeFileSync(file, '')
    const found = await withTemporaryModel(BYTES, async (folder) => existsSync(folder) && folder, [file, place])
    expect(found).toContain(place)
  })

  it('says of every place why it could not be written to', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    await expect(withTemporaryModel(BYTES, async () => {}, [file, `${file}s`])).rejects.toThrow(
      /no temporary file can be written: .*file: ENOTDIR.*files: ENOENT/,
    )
  })
})
