import { expect, test } from 'vitest'
import { chartSchema } from '../../scripts/chart-options.ts'

test("the Helm chart takes exactly the server's options (npm run chart:options)", () => {
  const { shipped, generated } = chartSchema()
  expect(shipped).toEqual(generated)
})
