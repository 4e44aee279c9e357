import type { ArchitectureJson } from '../resnet/architecture.ts'
import { countMultiplyAdds, type Graph } from '../resnet/graph.ts'
import { type ImportPlan, plannedArchitecture } from './plan-import.ts'

/** What model.json says beside the plan. */
export interface ImportedFacts {
  name: string
  version: string
  /** The file that was imported, without its folder, and what it is. */
  file: string
  format: string
  weightsSha256: string
  referenceSha256: string | undefined
  graph: Graph
}

/** Most work in one batch (GFLOP), far below ENGINE_BATCH_TIMEOUT_MS on a slow CPU (docs/reliability.md, "Large models"). */
const MAX_BATCH_GFLOP = 100
/** The server's own MAX_BATCH_SIZE by default: what is not smaller needs no bound. */
const USUAL_BATCH_SIZE = 32

/** model.json of an imported model. */
export function importedManifest(plan: ImportPlan, facts: ImportedFacts): object {
  const architecture = plannedArchitecture(plan)
  const maxBatchSize = Math.max(1, Math.floor(MAX_BATCH_GFLOP / gflop(facts.graph)))
  return {
    name: facts.name,
    version: facts.version,
    description: `${titleOf(architecture)}, imported from ${facts.file}`,
    architecture,
    input: plan.input.input,
    ...(plan.labels === undefined ? {} : { labels: plan.labels }),
    ...(maxBatchSize < USUAL_BATCH_SIZE ? { max_batch_size: maxBatchSize } : {}),
    weights: { sha256: facts.weightsSha256 },
    ...(facts.referenceSha256 === undefined ? {} : { reference: { sha256: facts.referenceSha256 } }),
    provenance: {
      file: facts.file,
      format: facts.format,
      ...(plan.found.path === '' ? {} : { prefix: plan.found.path }),
      preprocessing: plan.input.source,
      choices: Object.fromEntries(
        plan.choices.map(({ choice, value, source }) => [choice.flag, `${value} (${source})`]),
      ),
    },
  }
}

/** For one input: two operations for each multiplication. */
export function gflop(graph: Graph): number {
  return (2 * countMultiplyAdds(graph)) / 1e9
}

/** What the field calls it: ResNet-50-D, Wide ResNet-50-2, ResNet-v2-50. Layers with weights make the number. */
export function titleOf(architecture: ArchitectureJson): string {
  const { block, layers = [], base_width = 64, preactivation, shortcut, stride_on = '3x3' } = architecture
  const perBlock = block === 'bottleneck' ? 3 : 2
  const depth = perBlock * layers.reduce((sum, count) => sum + count, 0) + 2
  const wide = base_width > 64 ? 'Wide ' : ''
  const v1 = block === 'bottleneck' && !preactivation && stride_on === '1x1' ? ' v1' : ''
  return `${wide}ResNet${preactivation ? '-v2' : ''}-${depth}${shortcut === 'pooled-projection' ? '-D' : ''}${wide && `-${base_width / 64}`}${v1}`
}
