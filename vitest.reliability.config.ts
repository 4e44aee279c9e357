import { defineConfig } from 'vitest/config'

/** Tests that need programs which `npm ci` does not bring: nginx and HAProxy. */
export default defineConfig({
  test: {
    include: ['test/reliability/balancers/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
