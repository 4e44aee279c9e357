import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { CancelSignal } from '../../src/batching/job.ts'
import { ClientSignal } from '../../src/routes/client-signal.ts'
import { grownByMinorCollections } from '../helpers/minor-collections.ts'

/** A response of node:http, as far as a connection's end is concerned. */
class Response extends EventEmitter {
  destroyed = false
  writableFinished = false

  close(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function setUp() {
  const raw = new Response()
  const signal: CancelSignal = new ClientSignal(raw as unknown as ServerResponse)
  let aborts = 0
  const listener = (): void => {
    aborts++
  }
  signal.addEventListener('abort', listener, { once: true })
  return { raw, signal, listener, aborts: () => aborts }
}

describe('ClientSignal', () => {
  it('aborts when the connection closes before the answer is complete', () => {
    const { raw, signal, aborts } = setUp()
    expect([signal.aborted, aborts()]).toEqual([false, 0])
    raw.close()
    expect([signal.aborted, aborts()]).toEqual([true, 1])
  })

  it('does not abort when it closes after the answer', () => {
    const { raw, signal, aborts } = setUp()
    raw.writableFinished = true
    raw.close()
    expect([signal.aborted, aborts()]).toEqual([false, 0])
  })

  it('has aborted already for a client that left before', () => {
    const raw = new Response()
    raw.close()
    expect(new ClientSignal(raw as unknown as ServerResponse).aborted).toBe(true)
  })

  it('tells nobody who no longer listens, and leaves nothing on the response', () => {
    const { raw, signal, listener, aborts } = setUp()
    signal.removeEventListener('abort', listener)
    expect(raw.listenerCount('close')).toBe(0)
    raw.close()
    expect(aborts()).toBe(0)
  })

  it('keeps no response in memory', () => {
    const grown = grownByMinorCollections((ballast) => {
      const signal = new ClientSignal(Object.assign(new Response(), { ballast }) as unknown as ServerResponse)
      return () => signal.aborted
    })
    expect(grown).toBeLessThan(2)
  })
})
