import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Their own commands: npm run test:slow, npm run test:tensorflow, npm run test:reliability, npm run test:deploy, npm run
    // test:playground.
    exclude: [
      'test/slow/**',
      'test/native/**',
      'test/reliability/balancers/**',
      'test/playground/**',
      'test/deploy/{chart,compose,configs,haproxy-names}.test.ts',
    ],
    globalSetup: ['test/helpers/build-once.ts'],
    // One for each core; without this, one core would have nothing to do.
    maxWorkers: '100%',
    // Engines and the real server start in some tests; on a loaded machine with two cores that takes seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
