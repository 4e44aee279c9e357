import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** From the ground up: each room imports only from itself and from those before it. */
const ROOMS = [
  'errors',
  'batching',
  'resnet',
  'repository',
  'preprocessing',
  'engines',
  'workers',
  'model',
  'routes',
  'server',
  'quantization',
  'checkpoints',
  'client',
  'cli',
]

/** Rooms that see less than all before them. */
const SEES: Record<string, string[]> = {
  batching: ['errors'],
  quantization: ['errors', 'batching', 'resnet', 'repository', 'preprocessing', 'engines'],
  checkpoints: ['resnet', 'repository'],
  client: [],
}

/** Rooms that the server does without: nobody imports them but cli/. */
const ASIDE = ['quantization', 'checkpoints', 'client']

interface Import {
  from: string
  to: string
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(SRC, name), 'utf8') }))

function importsOf(text: string): string[] {
  const pattern = /(?:from|import)\s*\(?\s*'([^']+)'|require\('([^']+)'\)|new URL\('([^']+\.ts)'/g
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

const roomOf = (name: string): string => name.split('/')[0]?.replace(/\.ts$/, '') ?? ''

/** Imports of one file of src by another. */
const imports: Import[] = files.flatMap(({ name, text }) =>
  importsOf(text)
    .filter((path) => path.startsWith('.') && !path.endsWith('.json'))
    .map((path) => ({ from: name, to: relative(SRC, resolve(dirname(join(SRC, name)), path)) })),
)
const arrow = ({ from, to }: Import): string => `${from} -> ${to}`

function filesThat(matches: (text: string, name: string) => boolean): string[] {
  return files.filter(({ name, text }) => matches(text, name)).map(({ name }) => name)
}

function importersOf(...packages: string[]): string[] {
  return filesThat((text) =>
    importsOf(text).some((path) => packages.some((name) => path === name || path.startsWith(`${name}/`))),
  )
}

/** Files on a circle of imports: what is left when those that import nothing left are taken away, again and again. */
function circle(edges: Import[]): Import[] {
  const open = new Set(edges.map(({ from }) => from))
  const left = edges.filter(({ to }) => open.has(to))
  return left.length === edges.length ? left : circle(left)
}

describe('the architecture', () => {
  it('has these rooms and no others', () => {
    expect(new Set(files.map(({ name }) => roomOf(name)))).toEqual(new Set(ROOMS))
  })

  it('has no room that imports from one above it', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, other] = [roomOf(from), roomOf(to)]
      const sees = SEES[room] ?? ROOMS.slice(0, ROOMS.indexOf(room))
      return room !== other && !sees.includes(other)
    })
    expect(wrong.map(arrow)).toEqual([])
  })

  it('lets cli alone import what the server does without', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, other] = [roomOf(from), roomOf(to)]
      return room !== other && room !== 'cli' && ASIDE.includes(other)
    })
    expect(wrong.map(arrow)).toEqual([])
  })

  it('has no circle of files', () => {
    expect(circle(imports).map(arrow)).toEqual([])
  })

  it('keeps the engines apart from each other', () => {
    const engineOf = (name: string): string | undefined => /^engines\/(\w+)\//.exec(name)?.[1]
    const wrong = imports.filter(({ from, to }) => {
      const [engine, other] = [engineOf(from), engineOf(to)]
      return engine !== undefined && other !== undefined && engine !== other
    })
    expect(wrong.map(arrow)).toEqual([])
  })

  it('lets batching import nothing but errors', () => {
    const outside = files
      .filter(({ name }) => roomOf(name) === 'batching')
      .flatMap(({ text }) => importsOf(text))
      .filter((path) => !path.startsWith('./') && path !== '../errors.ts')
    expect(outside).toEqual([])
  })

  it('lets errors import nothing at all', () => {
    expect(importsOf(readFileSync(join(SRC, 'errors.ts'), 'utf8'))).toEqual([])
  })

  it('lets the client import nothing but itself', () => {
    const outside = files
      .filter(({ name }) => roomOf(name) === 'client')
      .flatMap(({ text }) => importsOf(text))
      .filter((path) => !path.startsWith('./'))
    expect(outside).toEqual([])
  })

  it.each([
    ['fastify', ['fastify', 'fastify-plugin', '@fastify'], ['routes', 'server']],
    ['tfjs and onnxruntime', ['@tensorflow', 'onnxruntime-node'], ['engines']],
    ['protobuf', ['protobufjs'], ['engines', 'routes']],
    ['gRPC', ['@grpc'], ['routes', 'server']],
    ['sharp', ['sharp'], ['preprocessing']],
  ])('keeps %s to its rooms', (_, packages, rooms) => {
    expect(new Set(importersOf(...packages).map(roomOf))).toEqual(new Set(rooms))
  })

  it('loads OpenTelemetry in tracing.ts alone, and that only where it is asked for', () => {
    expect(importersOf('@opentelemetry')).toEqual(['server/tracing.ts'])
    expect(filesThat((text) => /^import (?!type )[^']*'[^']*\/tracing\.ts'/m.test(text))).toEqual([])
  })

  it('reads process.env in config.ts alone, and writes it where a native library takes settings no other way', () => {
    expect(filesThat((text) => /process\.env\b/.test(text)).sort()).toEqual([
      'engines/onnx/sessions.ts',
      'engines/tensorflow/environment.ts',
      'server/config.ts',
    ])
  })

  it('hears signals before it loads anything: main.ts imports nothing at its top', () => {
    const main = readFileSync(join(SRC, 'server/main.ts'), 'utf8')
    expect(main).toMatch(/process\.on\(signal/)
    expect(main.match(/^import .*$/gm)).toBeNull()
  })

  it('listens in listen.ts alone, and from main.ts alone', () => {
    expect(filesThat((text) => /\.listen\(/.test(text))).toEqual(['server/listen.ts'])
    expect(imports.filter(({ to }) => to === 'server/listen.ts').map(({ from }) => from)).toEqual(['server/main.ts'])
  })

  it('keeps the playground and the server apart', () => {
    const web = resolve(SRC, '../web/src')
    const outside = readdirSync(web, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) =>
        importsOf(readFileSync(join(web, name), 'utf8'))
          .filter((path) => path.startsWith('.'))
          .map((path) => relative(web, resolve(dirname(join(web, name)), path))),
      )
      .filter((path) => path.startsWith('..'))
    expect(outside).toEqual([])
    expect(imports.filter(({ to }) => to.startsWith('../web')).map(arrow)).toEqual([])
    expect(importersOf('chart.js', 'chartjs-chart-matrix', 'vite')).toEqual([])
  })

  it('loads gRPC only where there is a port for it', () => {
    const statements = (text: string): string[] => text.match(/^import [^']*'[^']*'/gm) ?? []
    const importers = filesThat((text, name) => {
      const loaded = statements(text).filter((statement) => !statement.startsWith('import type '))
      return !name.includes('/grpc/') && loaded.some((statement) => /'@grpc\/|\/grpc\//.test(statement))
    })
    expect(importers).toEqual([])
  })

  it('names files in kebab-case', () => {
    expect(files.map(({ name }) => name).filter((name) => !/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(name))).toEqual([])
  })
})
