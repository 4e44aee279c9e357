import { systemClock } from '../../batching/clock.ts'
import { concatenate } from '../../engines/concatenate.ts'
import type { EngineName, EngineOptions, Outputs, Precision } from '../../engines/engine.ts'
import { MIN_COSINE } from '../../engines/onnx/self-check.ts'
import { ServeError } from '../../errors.ts'
import { loadReference, type Reference } from '../../repository/reference.ts'
import type { RepositoryEntry } from '../../repository/repository.ts'
import { childEnvironment } from '../../server/config.ts'
import { EngineProcess } from '../../workers/process.ts'
import { type Agreement, compare } from './compare.ts'

/** What one engine does with the default model on this machine. */
export interface EngineReport {
  engine: EngineName
  /** The one GPU that it was tried on, as CUDA_VISIBLE_DEVICES names it. */
  gpu?: string
  /** It opens, runs, and agrees with the reference if there is one. */
  works: boolean
  /** Why it does not. */
  error?: string | undefined
  details?: Record<string, string | number>
  precision?: Precision
  self_test?: Agreement
  /** Images per second by batch size, through the engine's process. */
  bench?: Record<string, number>
}

/** Lines kept of a crashed engine's output. */
const KEPT_LINES = 12

const BATCH_SIZES = [1, 8, 32]
const BENCH_MS = 1000

interface TrialOptions {
  /** How long each batch size is measured. */
  benchMs?: number
  /** The engine's process; tests put a double here. */
  module?: URL
}

/** A batch or a load that takes longer counts as hung; wasm needs seconds for the largest batch of a deep model. */
const HEARTBEAT_TIMEOUT_MS = 120_000

/** The project's bound for fp32. Lower precisions must reach MIN_COSINE, like in the engines' own check. */
const MAX_RELATIVE_DIFFERENCE = 1e-3

/** Opens the engine in a process of its own, so that a crash is a line in the report. Never rejects. */
export async function examineEngine(
  engine: EngineName,
  options: EngineOptions,
  entry: RepositoryEntry,
  { benchMs = BENCH_MS, module }: TrialOptions = {},
): Promise<EngineReport> {
  const output: string[] = []
  const child = new EngineProcess({
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    batchTimeoutMs: 60_000,
    clock: systemClock,
    env: childEnvironment(),
    onOutput: (line) => output.push(line),
    onWarning: (line) => output.push(line),
    ...(module ? { entry: module } : {}),
  })
  const gpu = options.gpu?.device
  const report: EngineReport = { engine, ...(gpu === undefined ? {} : { gpu }), works: false }
  try {
    report.details = (await child.call('open', { choice: engine, options })).details
    report.precision = (await child.call('load', { key: 'model', entry, allowedBatchSizes: BATCH_SIZES })).precision
    const run = (input: Float32Array, batchSize: number) => child.run({ key: 'model', inputs: [input], batchSize })
    const reference = loadReference(entry)
    if (reference) report.self_test = await selfTest(run, reference)
    report.bench = await bench(run, entry, benchMs)
    report.works = report.self_test === undefined || agrees(report.precision, report.self_test)
    if (!report.works) report.error = 'its answers differ from the reference'
  } catch (error) {
    report.error =
      error instanceof ServeError
        ? [`its process ended: ${await child.exited}`, ...output.slice(-KEPT_LINES)].join('\n')
        : (error as Error).message.replace(`ENGINE=${engine} cannot run here: ${engine}: `, '')
  } finally {
    await child.stop()
  }
  return report
}

function agrees(precision: Precision, { largest_relative_difference, embedding_cosine }: Agreement): boolean {
  return precision === 'fp32' ? largest_relative_difference <= MAX_RELATIVE_DIFFERENCE : embedding_cosine >= MIN_COSINE
}

type Run = (input: Float32Array, batchSize: number) => Promise<Outputs>

/** In batches of a size that is warmed up. */
async function selfTest(run: Run, { count, input, logits, embedding }: Reference): Promise<Agreement> {
  const size = Math.min(count, Math.max(...BATCH_SIZES))
  const row = input.length / count
  const batches: Outputs[] = []
  for (let first = 0; first < count; first += size) {
    const rows = Math.min(size, count - first)
    batches.push(await run(input.slice(first * row, (first + rows) * row), rows))
  }
  const answers: Outputs = {
    logits: concatenate(batches.map((batch) => batch.logits)),
    embedding: concatenate(batches.map((batch) => batch.embedding)),
  }
  return compare(answers, { logits, embedding }, count)
}

async function bench(run: Run, { manifest }: RepositoryEntry, durationMs: number): Promise<Record<string, number>> {
  const { height, width } = manifest.input
  const item = manifest.architecture.inChannels * height * width
  const rates: Record<string, number> = {}
  for (const batchSize of BATCH_SIZES) {
    const input = Float32Array.from({ length: item * batchSize }, (_, i) => Math.sin(i))
    await run(input, batchSize)
    const start = performance.now()
    let runs = 0
    do {
      await run(input, batchSize)
      runs++
    } while (performance.now() - start < durationMs)
    rates[batchSize] = (1000 * runs * batchSize) / (performance.now() - start)
  }
  return rates
}
