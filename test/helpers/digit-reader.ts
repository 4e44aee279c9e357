import { pino } from 'pino'
import request from 'supertest'
import { loadConfig } from '../../src/server/config.ts'
import { createServing } from '../../src/server/serving.ts'
import { ENGINE_PROCESS } from './built.ts'
import { drawDigit } from './drawn-digits.ts'
import { PATIENT } from './server-process.ts'

export const GROUNDS = [
  { name: 'dark on light', paper: 235, ink: 30 },
  { name: 'light on dark', paper: 12, ink: 240 },
  { name: 'faint', paper: 200, ink: 130 },
] as const
export const SIZES = [28, 64, 150, 320, 640] as const
export const PENS = [
  { name: 'thin', width: 0.015 },
  { name: 'middling', width: 0.035 },
  { name: 'thick', width: 0.055 },
] as const

/** The labels of the default model, in the order in which they are drawn. */
export const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit))

export interface Drawn {
  ground: (typeof GROUNDS)[number]
  size: number
  pen: (typeof PENS)[number]
}

/** The server with the models that it ships with, and a way to have pictures read. */
export async function digitReader() {
  const fail = (reason: string): void => {
    throw new Error(reason)
  }
  const serving = await createServing(loadConfig(PATIENT), pino({ level: 'silent' }), fail, ENGINE_PROCESS)
  await serving.start()
  await serving.app.ready()

  async function read(pictures: Buffer[]): Promise<string[]> {
    const form = request(serving.app.server).post('/classify?include=top&top_k=1')
    for (const [i, picture] of pictures.entries()) form.attach(`digit-${i}`, picture, `${i}.png`)
    const { body } = await form
    return body.results.map(({ label }: { label: string }) => label)
  }

  async function readDigits({ ground: { paper, ink }, size, pen }: Drawn): Promise<string[]> {
    return read(await Promise.all(DIGITS.map((_, digit) => drawDigit(digit, { paper, ink, size, pen: pen.width }))))
  }
  return { app: serving.app, read, readDigits, stop: () => serving.stop() }
}
