import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Their own commands, since they need what comes from elsewhere: npm run test:tensorflow, npm run test:reliability.
    exclude: ['test/native/**', 'test/reliability/balancers/**'],
    // Engines and the real server start in some tests; on a loaded machine with two cores that takes seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
