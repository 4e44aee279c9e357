import { defineConfig } from 'vitest/config'

/** Compose files, the Helm chart and the configurations under deploy/, read by their own tools. test/deploy/run.sh installs those. */
export default defineConfig({
  test: {
    include: ['test/deploy/{chart,compose,configs,haproxy-names}.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
