/**
 * Variables that an engine process is started with. glibc gives freed memory back to the system only where it came by
 * mmap, and raises the size from which it uses that to whatever was freed last. Loading a model allocates and frees its
 * weights several times over: with the size fixed, an engine process with the default model has 130 MiB instead of 190.
 * Elsewhere the variable means nothing.
 */
export const ENGINE_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: String(256 * 1024) }
