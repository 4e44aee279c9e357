import { expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'

it('2,000 damaged files are refused by name, or read: no other error, nothing without end', async () => {
  const { opened, refused, grownMb } = await fuzz(2000, 1)
  expect(opened + refused).toBe(2000)
  // Both kinds, or the damage is too small or too large to tell anything.
  expect(opened).toBeGreaterThan(200)
  expect(refused).toBeGreaterThan(200)
  // The largest file has 14 KB; what is left is the engine's own.
  expect(grownMb).toBeLessThan(500)
})
