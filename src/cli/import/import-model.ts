import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { canonicalTensors } from '../../checkpoints/canonical-tensors.ts'
import { importedManifest } from '../../checkpoints/imported-manifest.ts'
import { openCheckpoint } from '../../checkpoints/open-checkpoint.ts'
import { type ImportPlan, type PlanOptions, planImport, plannedArchitecture } from '../../checkpoints/plan-import.ts'
import { sketchGraph } from '../../checkpoints/sketch-graph.ts'
import { type WeightsDtype, writeWeights } from '../../checkpoints/write-weights.ts'
import { collectGarbage } from '../../engines/collect-garbage.ts'
import type { Outputs } from '../../engines/engine.ts'
import { parseManifest } from '../../repository/manifest.ts'
import { readSafetensors } from '../../repository/safetensors.ts'
import { type Architecture, parseArchitecture } from '../../resnet/architecture.ts'
import type { Graph } from '../../resnet/graph.ts'
import { buildResNet } from '../../resnet/resnet.ts'
import { type Config, loadConfig } from '../../server/config.ts'
import { type CheckFile, findAgreement, readCheckFile } from './check.ts'
import { moveIntoPlace, newFolder, targetFolder } from './model-folder.ts'
import { importReport, type Written } from './report.ts'
import { answersOf, noise, openCpuEngine } from './try-model.ts'

/** The options of the command, as commander gives them. */
export interface ImportOptions extends Omit<PlanOptions, 'choices'> {
  name: string
  version: string
  repository?: string
  weightsDtype?: WeightsDtype
  check?: string
  strideOn?: string
  shortcut?: string
  stemStride?: string
  maxPool?: string
  hiddenActivation?: string
  calibration?: string
  force: boolean
  dryRun: boolean
  json: boolean
}

/** Imports a checkpoint and prints what it is. Throws a plain Error that says what is in the way and what would help. */
export async function importModel(path: string, options: ImportOptions): Promise<void> {
  const config = loadConfig()
  const target = targetFolder(options.repository ?? config.MODEL_REPOSITORY, options)
  const check = options.check === undefined ? undefined : readCheckFile(options.check)
  const checkpoint = await openCheckpoint(path)
  try {
    const planned = planImport(checkpoint, {
      ...options,
      size: options.size ?? check?.size,
      choices: choicesOf(options),
    })
    const source = { file: basename(resolve(path)), format: checkpoint.format }
    const report = (plan: ImportPlan, written?: Written): void => {
      const facts = { ...source, bytes: checkpoint.bytes, alsoThere: checkpoint.leftOver, plan, written }
      const { text, json } = importReport({ ...facts, graph: sketchGraph(plan) })
      process.stdout.write(options.json ? `${JSON.stringify(json, null, 2)}\n` : text)
    }
    if (options.dryRun) return report(planned)
    const folder = newFolder(target)
    try {
      const { plan, ...written } = await write(folder, planned, { ...source, ...options }, check, config)
      moveIntoPlace(folder, target)
      report(plan, { ...written, folder: target, name: options.name, isServed: options.repository === undefined })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  } finally {
    checkpoint.close()
  }
  if (options.calibration !== undefined) {
    const { QUANTIZE_DEFAULTS, quantizeFolder } = await import('../quantize.ts')
    // stdout is for the JSON alone.
    const output = options.json ? process.stderr : process.stdout
    await quantizeFolder(target, { ...QUANTIZE_DEFAULTS, calibration: options.calibration }, output)
  }
}

function choicesOf(options: ImportOptions): PlanOptions['choices'] {
  return {
    'stride-on': options.strideOn,
    shortcut: options.shortcut,
    'stem-stride': options.stemStride,
    'max-pool': options.maxPool,
    'hidden-activation': options.hiddenActivation,
  }
}

interface Identity {
  name: string
  version: string
  file: string
  format: string
  weightsDtype?: WeightsDtype
}

/** Writes the model's files, and runs it once. Returns the plan with what `check` settled. */
async function write(
  folder: string,
  planned: ImportPlan,
  identity: Identity,
  check: CheckFile | undefined,
  { ENGINE_THREADS, TENSORFLOW_DIR }: Config,
) {
  const { height, width } = planned.input.input
  const stored = planned.found.stateDict.tensors
  const tensors = canonicalTensors(planned.recognized, stored)
  const dtype = identity.weightsDtype ?? (isHalf(planned) ? 'fp16' : 'fp32')
  const path = join(folder, 'weights.safetensors')
  const weightsSha256 = writeWeights(path, tensors, dtype)

  const engine = await openCpuEngine(ENGINE_THREADS, TENSORFLOW_DIR)
  const build = (architecture: Architecture): Graph => {
    const graph = readGraph(path, architecture, [height, width])
    // Not within the function that read the weights: V8 keeps what a running one has held.
    collectGarbage()
    return graph
  }
  let plan = planned
  let outputs: Outputs
  let difference: number | undefined
  if (check === undefined) {
    const graph = build(parseArchitecture(plannedArchitecture(plan)))
    outputs = await answersOf(engine, graph, noise(graph), 1)
  } else {
    const agreement = await findAgreement(plan.recognized.architecture, plan.choices, check, (architecture) =>
      answersOf(engine, build(architecture), check.input, check.count),
    )
    outputs = agreement.outputs
    difference = agreement.difference
    plan = { ...plan, choices: agreement.choices }
  }
  if (![outputs.logits, outputs.embedding].every((values) => values.every(Number.isFinite))) {
    throw new Error('the model answers with numbers that are not finite')
  }
  const referenceSha256 = check && writeReference(join(folder, 'reference.safetensors'), check, outputs)
  const manifest = importedManifest(plan, { ...identity, weightsSha256, referenceSha256, graph: sketchGraph(plan) })
  const json = `${JSON.stringify(manifest, null, 2)}\n`
  parseManifest(json)
  writeFileSync(join(folder, 'model.json'), json)
  return { plan, dtype, engine: engine.name, difference }
}

function readGraph(path: string, architecture: Architecture, [height, width]: [number, number]): Graph {
  return buildResNet(architecture, readSafetensors(readFileSync(path)), height, width)
}

/** Whether every weight is in half precision already. */
function isHalf({ recognized, found }: ImportPlan): boolean {
  return [...recognized.tensors.values()].every(
    (source) => source === 'zeros' || found.stateDict.tensors.get(source.stored)?.dtype === 'float16',
  )
}

/** PyTorch's answers; what it was not asked for is the engine's, whose other answer agrees with PyTorch's. */
function writeReference(path: string, check: CheckFile, outputs: Outputs): string {
  const { count, input, size } = check
  const tensor = (name: string, values: Float32Array, shape: number[]) => ({ name, shape, read: () => values })
  const rows = (name: 'logits' | 'embedding') => {
    const values = check[name] ?? outputs[name]
    return values.length === 0 ? [] : [tensor(name, values, [count, values.length / count])]
  }
  const channels = input.length / count / size[0] / size[1]
  return writeWeights(
    path,
    [tensor('input', input, [count, channels, ...size]), ...rows('logits'), ...rows('embedding')],
    'fp32',
  )
}
