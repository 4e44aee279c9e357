import { defineConfig } from 'vitest/config'

/** `npm run test:slow`: what `npm test` has a smaller form of, in full. */
export default defineConfig({
  test: {
    include: ['test/slow/**/*.test.ts'],
    globalSetup: ['test/helpers/build-once.ts'],
    maxWorkers: '100%',
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
})
