import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
// Every object here is there at one collection, and V8 would soon make such objects old at once.
setFlagsFromString('--no-allocation-site-pretenuring')
const gc = runInNewContext('gc') as (options?: { type: 'minor' }) => void

const ROUNDS = 60
/** Objects of one round. */
const TOGETHER = 32

/**
 * How many MiB the heap grows by while 1,920 objects of 16 KiB come and go and V8's minor collections alone collect them.
 * `add` returns what takes the object out again.
 */
export function grownByMinorCollections(add: (value: object) => () => void): number {
  const comeAndGo = (): number => {
    for (let round = 0; round < ROUNDS; round++) {
      const leave = Array.from({ length: TOGETHER }, () => add({ ballast: new Array(2048).fill(0.5) }))
      gc({ type: 'minor' })
      for (const each of leave) each()
    }
    gc({ type: 'minor' })
    gc({ type: 'minor' })
    return process.memoryUsage().heapUsed
  }
  // The first time, code is compiled too.
  comeAndGo()
  // What is there at a major collection is old from then on.
  const leave = add({})
  gc()
  leave()
  const before = process.memoryUsage().heapUsed
  return (comeAndGo() - before) / 2 ** 20
}
