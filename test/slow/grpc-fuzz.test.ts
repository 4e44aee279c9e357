import { it } from 'vitest'
import { fuzzModelInfer } from '../reliability/grpc-fuzz.ts'

it('10,000 damaged ModelInfer requests are answered, and none is blamed on the server', async () => {
  await fuzzModelInfer(10_000)
})
