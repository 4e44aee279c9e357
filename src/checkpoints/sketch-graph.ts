import { parseArchitecture } from '../resnet/architecture.ts'
import type { Graph } from '../resnet/graph.ts'
import { buildResNet } from '../resnet/resnet.ts'
import { StateDict } from '../resnet/state-dict.ts'
import { canonicalTensors } from './canonical-tensors.ts'
import { type ImportPlan, plannedArchitecture } from './plan-import.ts'

/**
 * The planned model's graph without its weights: every tensor is in its place with the right shape, and nothing is read. Throws as
 * `buildResNet` does.
 */
export function sketchGraph(plan: ImportPlan): Graph {
  const { recognized, found, input } = plan
  const tensors = canonicalTensors(recognized, found.stateDict.tensors)
  const shapes = new StateDict(tensors.map(({ name, shape }) => [name, { shape, data: new Float32Array() }]))
  return buildResNet(parseArchitecture(plannedArchitecture(plan)), shapes, input.input.height, input.input.width)
}
