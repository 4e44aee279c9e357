export interface Stage {
  name: string
  ms: number
}

export interface Timing {
  /** In the order in which a request goes through them; together they are `totalMs`. */
  stages: Stage[]
  /** From the request's start in the browser to the end of its answer. */
  totalMs: number
  /** Inputs that were computed together, this one included; undefined where the answer came from the cache. */
  batchSize: number | undefined
}

/** The stages that a Server-Timing header (W3C) tells, and what the server and the network took beside them. */
export function timingOf(header: string, roundTripMs: number): Timing {
  const entries = new Map(
    header.split(',').map((entry) => {
      const [name = '', ...parameters] = entry.split(';').map((text) => text.trim())
      const values = parameters.map((parameter) => parameter.split('='))
      return [name, Object.fromEntries(values) as Record<string, string | undefined>]
    }),
  )
  const ms = (name: string): number => Number(entries.get(name)?.dur ?? 0)
  const known = ['decode', 'queue', 'compute'].map((name) => ({ name, ms: ms(name) }))
  const other = Math.max(0, ms('total') - known.reduce((sum, stage) => sum + stage.ms, 0))
  const network = Math.max(0, roundTripMs - ms('total'))
  const batch = entries.get('batch')?.desc?.replaceAll('"', '')
  return {
    stages: [...known, { name: 'other', ms: other }, { name: 'network', ms: network }],
    totalMs: roundTripMs,
    batchSize: batch === undefined ? undefined : Number(batch),
  }
}
