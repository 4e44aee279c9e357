import { type ArchitectureJson, expansion, innerWidth } from '../resnet/architecture.ts'
import type { LocatedResNet } from './canonical-names.ts'
import type { TakenTensors } from './taken-tensors.ts'

type Body = LocatedResNet['body']
type Block = NonNullable<ArchitectureJson['block']>
/** The place of the convolution in the projections: an average pool before it moves it from the first to the second. */
type Place = 'none' | 'first' | 'second'

/** The stages and the blocks in them. */
export interface RecognizedStages {
  block: Block
  /** Blocks per stage. */
  layers: number[]
  /** Of each stage. */
  planes: number[]
  /** How wide a bottleneck is inside, for 64 planes. */
  baseWidth: number
  projection: Place
}

/** Takes the tensors of every block. Throws a plain Error that says which is in the way. */
export function recognizeStages(
  { body }: LocatedResNet,
  taken: TakenTensors,
  preactivation: boolean,
): RecognizedStages {
  const layers = blocksPerStage(body)
  const block = body.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic'
  const { planes, baseWidth } = widths(taken, layers, block)
  const convs = block === 'basic' ? [1, 2] : [1, 2, 3]
  let projection: Place = 'none'
  for (const [stage, blocks] of layers.entries()) {
    for (let index = 0; index < blocks; index++) {
      const name = `layer${stage + 1}.${index}`
      for (const i of convs) {
        assertUngrouped(body, taken, `${name}.conv${i}.weight`)
        if (preactivation) {
          taken.takeNorm(`${name}.bn${i}`)
          taken.takeConv(`${name}.conv${i}`, undefined)
        } else taken.takeConv(`${name}.conv${i}`, `${name}.bn${i}`)
      }
      const place = [0, 1].find((i) => taken.isConv(`${name}.shortcut.${i}.weight`))
      if (place === undefined) continue
      projection = place === 0 ? 'first' : 'second'
      const norm = preactivation ? undefined : `${name}.shortcut.${place + 1}`
      taken.takeConv(`${name}.shortcut.${place}`, norm, `${name}.shortcut.0`, `${name}.shortcut.1`)
    }
  }
  return { block, layers, planes, baseWidth, projection }
}

function blocksPerStage(body: Body): number[] {
  const layers: number[] = []
  for (const name of body.keys()) {
    const [, stage, block] = /^layer(\d+)\.(\d+)\./.exec(name) ?? []
    if (stage === undefined || block === undefined) continue
    const index = Number(stage) - 1
    layers[index] = Math.max(layers[index] ?? 0, Number(block) + 1)
  }
  return Array.from(layers, (blocks, stage) => {
    if (blocks === undefined) throw new Error(`there is no layer${stage + 1}, and there is one after it`)
    return blocks
  })
}

/** Planes of each stage, and how wide a bottleneck is inside, for 64 planes. */
function widths(taken: TakenTensors, layers: number[], block: Block) {
  const inner = layers.map((_, stage) => taken.shape(`layer${stage + 1}.0.conv1.weight`, 4)[0] as number)
  if (block === 'basic') return { planes: inner, baseWidth: 64 }
  const planes = layers.map((_, stage) => {
    const name = `layer${stage + 1}.0.conv3.weight`
    const out = taken.shape(name, 4)[0] as number
    const planes = out / expansion(block)
    if (!Number.isInteger(planes))
      throw new Error(`${taken.stored(name)}: a bottleneck has a multiple of 4 outputs, not ${out}`)
    return planes
  })
  const baseWidth = Math.round((64 * (inner[0] as number)) / (planes[0] as number))
  const isSame = inner.every((width, stage) => width === innerWidth(planes[stage] as number, baseWidth))
  if (!isSame) throw new Error(`the bottlenecks are ${inner} wide for ${planes} planes: no base width gives these`)
  return { planes, baseWidth }
}

function assertUngrouped(body: Body, taken: TakenTensors, name: string): void {
  const match = /^(.*)\.conv(\d)\.weight$/.exec(name)
  const before = `${match?.[1]}.conv${Number(match?.[2]) - 1}.weight`
  if (!body.has(before)) return
  const [, inputs] = taken.shape(name, 4)
  const [outputs] = taken.shape(before, 4)
  if (inputs !== outputs) {
    const what =
      (inputs as number) < (outputs as number) ? 'grouped convolutions (ResNeXt), which are not served' : 'no chain'
    throw new Error(`${taken.stored(name)} reads ${inputs} channels of ${outputs}: ${what}`)
  }
}
