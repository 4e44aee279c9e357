import type { HttpResult, Results } from '../../bench/results.ts'
import { series } from '../../bench/statistics.ts'

const MIB = 2 ** 20

export function httpResult(changes: Partial<HttpResult> = {}): HttpResult {
  return {
    input: 'tensor',
    answer: 'json',
    clients: 32,
    answersPerS: series([600, 610, 620]),
    p50Ms: series([50, 51, 52]),
    p99Ms: series([60, 61, 62]),
    meanBatchSize: 31.5,
    answered: 1830,
    errors: {},
    cpuMs: { http: series([0.2, 0.21, 0.22]), engine: series([1.5, 1.6, 1.7]) },
    settledS: 6.5,
    generatorUs: 12,
    memory: { server: 100 * MIB, engine: 250 * MIB, proportional: 0 },
    ...changes,
  }
}

/** A run as the bench writes it. */
export function resultsOf(changes: Partial<Results> = {}): Results {
  return {
    format: 3,
    date: '2026-11-24T00:00:00.000Z',
    machine: { processor: 'Test', cores: 2, platform: 'linux x64', node: 'v22.0.0', loadAverage: 0.1 },
    engine: { name: 'onnx', version: '1', passed_over: [] },
    model: { name: 'digits', version: '1', input: { channels: 'grey', height: 28, width: 28 } },
    precision: 'int8',
    timing: { warmupS: 1, settleS: 60, leadS: 0.3, windowS: 2, windows: 3 },
    settings: {},
    startupMs: series([1700, 1800]),
    memory: { server: 90 * MIB, engine: 240 * MIB, proportional: 0 },
    raw: [
      { precision: 'fp32', batchSize: 1, imagesPerS: series([170]) },
      { precision: 'fp32', batchSize: 32, imagesPerS: series([240]) },
      { precision: 'int8', batchSize: 1, imagesPerS: series([400]) },
      { precision: 'int8', batchSize: 32, imagesPerS: series([800]) },
    ],
    notMeasured: [],
    closed: [httpResult()],
    open: [httpResult({ ratePerS: 300, clients: 128 })],
    null: [httpResult({ input: 'png', answersPerS: series([1600]) })],
    decode: [{ input: 'png', picturesPerS: series([2000]) }],
    ...changes,
  }
}
