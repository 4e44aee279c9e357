import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/server/config.ts'
import { createServing } from '../../src/server/serving.ts'
import { temporaryRepository } from '../helpers/server-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** What the server says of itself before anything runs. */
const create = (env: Record<string, string>) =>
  createServing(loadConfig(env), pino({ level: 'silent' }), (reason) => expect.fail(reason))

describe('a server is not put together', () => {
  it.each([
    ['without the default model', () => ({ MODEL_REPOSITORY: temporaryRepository(), DEFAULT_MODEL: 'cats' }), /cats/],
    ['without a repository', () => ({ MODEL_REPOSITORY: '/nowhere' }), /\/nowhere/],
    [
      'with a broken model, whose folder it names',
      () => ({ MODEL_REPOSITORY: temporaryFolder({ 'broken/1/model.json': '{' }) }),
      /broken\/1\/model\.json: not JSON/,
    ],
  ])('%s', async (_name, env, message) => {
    await expect(create(env())).rejects.toThrow(message)
  })
})
