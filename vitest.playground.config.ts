import { defineConfig } from 'vitest/config'

/** `npm run test:playground`: the page in a real browser, Chromium at CHROMIUM or where Debian has it. */
export default defineConfig({
  test: {
    include: ['test/playground/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})
