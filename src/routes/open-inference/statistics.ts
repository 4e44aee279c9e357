import type { Model } from '../../model/model.ts'
import type { Total } from '../../model/model-statistics.ts'

const NS_PER_MS = 1e6
/** One version's statistics as Triton has them. Requests of all protocols count. */
export function modelStatistics({ manifest: { name, version }, statistics }: Model) {
  const batches = [...statistics.batches].sort(([a], [b]) => a - b)
  return {
    name,
    version,
    last_inference: statistics.lastRequestAt,
    inference_count: statistics.inferenceCount,
    execution_count: batches.reduce((sum, [, { count }]) => sum + count, 0),
    inference_stats: {
      success: duration(statistics.success),
      fail: duration(statistics.fail),
      queue: duration(statistics.queue),
      compute_input: duration(statistics.decode),
      compute_infer: duration(statistics.compute),
      compute_output: unmeasured(statistics.compute),
      cache_hit: duration(statistics.cacheHit),
    },
    batch_stats: batches.map(([size, total]) => ({
      batch_size: size,
      compute_input: unmeasured(total),
      compute_infer: duration(total),
      compute_output: unmeasured(total),
    })),
  }
}

/** A part of `compute_infer` that is not measured by itself. */
function unmeasured({ count }: Total): { count: number; ns: number } {
  return { count, ns: 0 }
}

function duration({ count, ms }: Total): { count: number; ns: number } {
  return { count, ns: Math.round(ms * NS_PER_MS) }
}
