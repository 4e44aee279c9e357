import type { ArchitectureJson } from '../resnet/architecture.ts'
import type { LocatedResNet } from './canonical-names.ts'
import type { TakenTensors } from './taken-tensors.ts'

type StemConvs = NonNullable<ArchitectureJson['stem']>['convs']

/** What is before the first stage. */
export interface RecognizedStem {
  inChannels: number
  convs: StemConvs
  maxPool: boolean
}

/** Takes the stem's tensors. Strides and the max-pool are the usual ones for the kernel. */
export function recognizeStem({ body }: LocatedResNet, taken: TakenTensors, preactivation: boolean): RecognizedStem {
  const isDeep = body.has('conv1.0.weight')
  const names = isDeep ? deepStem(body) : ['conv1']
  const norms = names.map((_, i) => (i === names.length - 1 ? 'bn1' : `conv1.${3 * i + 1}`))
  const shapes = names.map((name) => taken.shape(`${name}.weight`, 4))
  const isLarge = isDeep || (shapes[0]?.[2] ?? 0) > 3
  for (const [i, name] of names.entries()) {
    const hasNorm = !(preactivation && i === names.length - 1)
    taken.takeConv(name, hasNorm ? norms[i] : undefined)
  }
  return {
    inChannels: shapes[0]?.[1] as number,
    convs: shapes.map(([out, , kernel], i) => ({
      out: out as number,
      // Any other number is refused when the architecture is parsed.
      kernel: kernel as StemConvs[number]['kernel'],
      stride: isLarge && i === 0 ? 2 : 1,
    })),
    maxPool: isLarge,
  }
}

/** conv, norm, activation, conv, norm, activation, ..., conv. */
function deepStem(body: LocatedResNet['body']): string[] {
  const names: string[] = []
  while (body.has(`conv1.${3 * names.length}.weight`)) names.push(`conv1.${3 * names.length}`)
  return names
}
