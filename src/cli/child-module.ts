import { fileURLToPath } from 'node:url'

/**
 * Arguments for Node that run this project's module, named by its source: compiled to dist/ it is JavaScript, run from
 * src/ (tests, development) it is TypeScript.
 */
export function childModule(source: URL): string[] {
  if (import.meta.url.endsWith('.ts')) return ['--import', import.meta.resolve('tsx'), fileURLToPath(source)]
  return [fileURLToPath(source).replace(/\.ts$/, '.js')]
}
