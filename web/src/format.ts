/** A probability as a percentage that is never rounded to certainty; a logit (`none`) as it is. */
export function formatProbability(value: number, activation: 'softmax' | 'sigmoid' | 'none'): string {
  if (activation === 'none') return value.toFixed(2)
  const percent = value * 100
  if (percent >= 99.995) return '> 99.99 %'
  return percent < 0.01 ? '< 0.01 %' : `${percent.toFixed(2)} %`
}

export function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}
