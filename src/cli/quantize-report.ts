import type { Comparison } from '../quantization/comparison.ts'
import type { Quantized } from '../quantization/quantize-model.ts'

/** What `resnet-serve quantize` prints when it is done. */
export function quantizeReport({ quantization, report, layers }: Quantized): string {
  const { evaluation } = report
  const lines = ['relative error of each value, everything before it in int8 too:']
  for (const [name, error] of Object.entries(layers)) {
    const kept = quantization.fp32.includes(name) ? '  kept in fp32' : ''
    lines.push(`  ${name.padEnd(24)} ${(100 * error).toFixed(2).padStart(6)} %${kept}`)
  }
  lines.push(
    '',
    `${report.calibration_samples} samples to choose ranges, ${evaluation.samples} others to measure:`,
    `  embeddings, int8 to fp32: ${cosines(evaluation)}`,
  )
  if (evaluation.agreement !== undefined) lines.push(`  same class: ${percent(evaluation.agreement)}`)
  if (evaluation.accuracy) {
    const { samples, fp32, int8 } = evaluation.accuracy
    lines.push(`  right of ${samples}: fp32 ${percent(fp32)}, int8 ${percent(int8)}`)
  }
  lines.push(`  in fp32: ${quantization.fp32.length === 0 ? 'no node' : quantization.fp32.join(', ')}`, '')
  return lines.join('\n')
}

/** The same for programs. */
export function quantizeJson({ quantization, report, layers }: Quantized): object {
  return { ...report, relative_errors: layers, fp32: quantization.fp32 }
}

function cosines({ cosine_mean, cosine_min }: Comparison): string {
  return `cosine mean ${cosine_mean.toFixed(6)}, least ${cosine_min.toFixed(6)}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}
