import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** Each layer may import from itself and from what stands to its right; `cli` and `server` share the left end. */
const CHAIN = ['cli', 'server', 'routes', 'model', 'batching', 'errors']

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(SRC, name), 'utf8') }))

function importsOf(text: string): string[] {
  const pattern = /(?:from|import)\s*\(?\s*'([^']+)'|require\('([^']+)'\)|import '([^']+)'/g
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

function layerOf(name: string): string {
  return name.split('/')[0]?.replace(/\.ts$/, '') ?? ''
}

function filesThat(matches: (text: string, name: string) => boolean): string[] {
  return files.filter(({ name, text }) => matches(text, name)).map(({ name }) => name)
}

function importersOf(...packages: string[]): string[] {
  return filesThat((text) =>
    importsOf(text).some((path) => packages.some((name) => path === name || path.startsWith(`${name}/`))),
  )
}

describe('the architecture', () => {
  it('has no layers but the chain’s', () => {
    expect(new Set(files.map(({ name }) => layerOf(name)))).toEqual(new Set(CHAIN))
  })

  it('imports only to the right: cli, server -> routes -> model -> batching -> errors', () => {
    const wrong = files.flatMap(({ name, text }) =>
      importsOf(text)
        .filter((path) => path.startsWith('.') && !path.endsWith('.json'))
        .map((path) => relative(SRC, resolve(dirname(join(SRC, name)), path)))
        .filter((target) => CHAIN.indexOf(layerOf(target)) < CHAIN.indexOf(layerOf(name)))
        .map((target) => `${name} -> ${target}`),
    )
    // The two left ends may use each other: a command can start the server.
    expect(wrong.filter((edge) => !/^server\/.* -> cli\//.test(edge))).toEqual([])
    expect(filesThat((text, name) => layerOf(name) === 'server' && /from '\.\.\/cli/.test(text))).toEqual([])
  })

  it('lets batching import nothing but errors', () => {
    const outside = files
      .filter(({ name }) => layerOf(name) === 'batching')
      .flatMap(({ text }) => importsOf(text))
      .filter((path) => !path.startsWith('./') && path !== '../errors.ts')
    expect(outside).toEqual([])
  })

  it('lets errors import nothing at all', () => {
    expect(importsOf(readFileSync(join(SRC, 'errors.ts'), 'utf8'))).toEqual([])
  })

  it('keeps fastify to server and routes', () => {
    const importers = importersOf('fastify', 'fastify-plugin', '@fastify')
    expect(importers.length).toBeGreaterThan(0)
    expect(importers.filter((name) => !['server', 'routes'].includes(layerOf(name)))).toEqual([])
  })

  it('keeps tfjs, onnxruntime, protobuf and sharp to model', () => {
    const importers = importersOf('@tensorflow', 'onnxruntime-node', 'protobufjs', 'sharp')
    expect(importers.length).toBeGreaterThan(0)
    expect(importers.filter((name) => layerOf(name) !== 'model')).toEqual([])
  })

  it('knows process.env in config.ts alone, and where native libraries are told what they take no other way', () => {
    const importers = filesThat((text) => /process\.env\b/.test(text))
    expect(importers.sort()).toEqual([
      'model/engines/onnx-telemetry.ts',
      'model/engines/tensorflow-environment.ts',
      'server/config.ts',
    ])
  })

  it('hears signals before it loads anything: main.ts imports nothing at its top', () => {
    const main = readFileSync(join(SRC, 'server/main.ts'), 'utf8')
    expect(main).toMatch(/process\.on\(signal/)
    expect(main.match(/^import .*$/gm)).toBeNull()
  })

  it('listens in main.ts alone', () => {
    expect(filesThat((text) => /\.listen\(/.test(text))).toEqual(['server/main.ts'])
  })

  it('names files in kebab-case', () => {
    expect(files.map(({ name }) => name).filter((name) => !/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(name))).toEqual([])
  })
})
