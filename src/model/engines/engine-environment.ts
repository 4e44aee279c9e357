import type { EngineName } from './engine.ts'

/**
 * Variables that an engine process is started with. glibc gives freed memory back to the system only where it came by
 * mmap, and raises the size from which it uses that to whatever was freed last. Loading a model allocates and frees its
 * weights several times over: with the size fixed, an engine process with the default model has 130 MiB instead of 190.
 * Not for native TensorFlow, which allocates the values of a batch anew for each, and would pay for every page of them.
 */
export function engineEnvironment(engine: EngineName | 'auto'): Record<string, string> {
  return engine === 'tensorflow' ? {} : { MALLOC_MMAP_THRESHOLD_: String(256 * 1024) }
}
