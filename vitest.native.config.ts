import { defineConfig } from 'vitest/config'

const engine = process.env.ENGINE ?? 'tensorflow'

/**
 * `npm run test:tensorflow`: what needs the library that `resnet-serve install-tensorflow` brings (TENSORFLOW_DIR), on the CPU,
 * or with ENGINE=cuda on a GPU.
 */
export default defineConfig({
  test: {
    include: ['test/native/**/*.test.ts', 'test/engines/parity.test.ts', 'test/engines/pools.test.ts'],
    globalSetup: ['test/helpers/build-once.ts'],
    env: { ENGINE: engine, PARITY_ENGINES: engine },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
