import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs native TensorFlow: vitest.native.config.ts runs it.
    exclude: ['test/native/**'],
    // Engines and the real server start in some tests; on a loaded machine with two cores that takes seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
