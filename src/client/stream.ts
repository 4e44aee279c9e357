import { abortedBy } from './error.ts'

export interface Stream<Input, Result> {
  source: AsyncIterable<Input> | Iterable<Input>
  /** Most requests at once. */
  concurrency: number
  /** Most inputs of one request. */
  batchSize: number
  /** Whether the batch, which is not empty, takes this input too. */
  fits: (batch: readonly Input[], next: Input) => boolean
  /** A result for each input, in their order. What it throws ends the stream. */
  send: (batch: readonly Input[], signal: AbortSignal) => Promise<Result[]>
  signal: AbortSignal | undefined
}

/** A batch on its way; at most one of the two comes. */
interface Request<Result> {
  results?: Result[]
  failure?: { error: unknown }
}

/**
 * The results of all inputs, in their order. Of the inputs taken from the source, at most `concurrency * batchSize` have no
 * result that was yielded; while nobody asks for a result, none is taken. Where the source or a batch fails, the results
 * before it are yielded first. When the caller stops or aborts, requests under way are aborted and the source is ended.
 */
export async function* stream<Input, Result>(options: Stream<Input, Result>): AsyncGenerator<Result, void, undefined> {
  const { concurrency, send, signal } = options
  const controller = new AbortController()
  const batches = batchesOf(options, controller.signal)
  const underWay: Request<Result>[] = []
  let [taking, ended] = [false, false]
  let sourceFailure: { error: unknown } | undefined
  /** Goes on with the loop below, where it waits. */
  let wake = (): void => {}

  const take = async (): Promise<void> => {
    taking = true
    try {
      const { value: batch } = await batches.next()
      if (batch) start(batch)
      else ended = true
    } catch (error) {
      ended = true
      sourceFailure = { error }
    }
    taking = false
    wake()
  }
  const start = (batch: Input[]): void => {
    const request: Request<Result> = {}
    underWay.push(request)
    send(batch, controller.signal)
      .then(
        (results) => {
          request.results = results
        },
        (error: unknown) => {
          request.failure = { error }
        },
      )
      .then(() => wake())
  }
  const onAbort = (): void => {
    controller.abort()
    wake()
  }
  signal?.addEventListener('abort', onAbort)

  try {
    for (;;) {
      if (signal?.aborted) throw abortedBy(signal)
      const [head] = underWay
      if (head?.failure) throw head.failure.error
      if (head?.results) {
        yield* head.results
        underWay.shift()
        continue
      }
      if (!taking && !ended && underWay.length < concurrency) take()
      if (!taking && head === undefined) break
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (sourceFailure) throw sourceFailure.error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    controller.abort()
    const ending = batches.return()
    // A source that is being asked ends when it has answered, which may be never.
    if (taking) ending.catch(() => {})
    else await ending
  }
}

/** Inputs that go together, in groups of at most `batchSize`. Where the source fails, those before come first. */
async function* batchesOf<Input>(
  { source, batchSize, fits }: Pick<Stream<Input, unknown>, 'source' | 'batchSize' | 'fits'>,
  stopped: AbortSignal,
): AsyncGenerator<Input[], void, undefined> {
  let batch: Input[] = []
  let failure: { error: unknown } | undefined
  try {
    for await (const input of source) {
      if (stopped.aborted) return
      if (batch.length > 0 && !fits(batch, input)) {
        yield batch
        batch = []
      }
      batch.push(input)
      if (batch.length < batchSize) continue
      yield batch
      batch = []
    }
  } catch (error) {
    failure = { error }
  }
  if (batch.length > 0) yield batch
  if (failure) throw failure.error
}
