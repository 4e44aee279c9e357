import { defineConfig } from 'vitest/config'

/** `npm run test:tensorflow`: what needs the library that `resnet-serve install-tensorflow` brings (TENSORFLOW_DIR). */
export default defineConfig({
  test: {
    include: ['test/native/**/*.test.ts', 'test/engines/parity.test.ts'],
    env: { PARITY_ENGINES: 'tensorflow' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
