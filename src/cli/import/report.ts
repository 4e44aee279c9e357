import { dirname } from 'node:path'
import { canonicalTensors } from '../../checkpoints/canonical-tensors.ts'
import { gflop, titleOf } from '../../checkpoints/imported-manifest.ts'
import { printable } from '../../checkpoints/pickle-value.ts'
import { type ImportPlan, plannedArchitecture } from '../../checkpoints/plan-import.ts'
import type { WeightsDtype } from '../../checkpoints/write-weights.ts'
import type { InputJson } from '../../repository/input-spec.ts'
import type { ArchitectureJson } from '../../resnet/architecture.ts'
import { countValues, type Graph } from '../../resnet/graph.ts'

/** What became of it on disk. */
export interface Written {
  name: string
  folder: string
  dtype: WeightsDtype
  /** On which it ran once. */
  engine: string
  /** To PyTorch's answers, relative; undefined without `--check`. */
  difference: number | undefined
  /** Whether the server's own repository holds it. */
  isServed: boolean
}

export interface ImportFacts {
  file: string
  format: string
  bytes: number
  /** What else the file holds. */
  alsoThere: string[]
  plan: ImportPlan
  /** Shapes alone. */
  graph: Graph
  written: Written | undefined
}

/** What `import` and `inspect` say of a checkpoint, for people and for programs. */
export function importReport(facts: ImportFacts): { text: string; json: object } {
  const { plan, graph, written } = facts
  const architecture = plannedArchitecture(plan)
  const parameters = countParameters(plan)
  const json = {
    file: facts.file,
    format: facts.format,
    bytes: facts.bytes,
    prefix: plan.found.path,
    names: plan.recognized.dialect,
    title: titleOf(architecture),
    architecture,
    choices: plan.choices.map(({ choice, value, source, isOpen }) => ({
      flag: choice.flag,
      value,
      source,
      values: choice.values,
      open: isOpen,
    })),
    input: plan.input.input,
    input_source: plan.input.source,
    labels: plan.labels?.length ?? 0,
    parameters,
    gflop: gflop(graph),
    left_over: [...plan.recognized.leftOver, ...facts.alsoThere],
    written,
  }
  const lines = [
    `${facts.file}: ${facts.format}, ${(facts.bytes / 1e6).toFixed(1)} MB`,
    `${json.title}, by the names of ${plan.recognized.dialect}${plan.found.path === '' ? '' : `, under ${plan.found.path}`}`,
    '',
    ...rows(architectureRows(architecture, graph)),
    ...rows([
      ['parameters', `${(parameters / 1e6).toFixed(1)} million; ${json.gflop.toFixed(1)} GFLOP for an input`],
      ['input', `${inputText(plan.input.input)} (${plan.input.source})`],
      ['labels', plan.labels === undefined ? 'none: classes have their numbers' : String(plan.labels.length)],
    ]),
    ...choiceLines(plan),
    ...leftOverLines(json.left_over),
    ...(written === undefined ? [] : writtenLines(written, plan)),
    '',
  ]
  // Names in a file may be anything.
  return { text: lines.map((line) => printable(line, Number.POSITIVE_INFINITY)).join('\n'), json }
}

/** As PyTorch counts: running statistics are no parameters. */
function countParameters({ recognized, found }: ImportPlan): number {
  const isParameter = (name: string): boolean => !/\.running_(mean|var)$/.test(name)
  return canonicalTensors(recognized, found.stateDict.tensors)
    .filter(({ name }) => isParameter(name) && recognized.tensors.get(name) !== 'zeros')
    .reduce((sum, { shape }) => sum + countValues(shape), 0)
}

function architectureRows(architecture: ArchitectureJson, { outputs, nodes }: Graph): [string, string][] {
  const {
    block,
    layers = [],
    stem,
    width = 64,
    planes,
    base_width,
    shortcut,
    pool,
    hidden_sizes = [],
    num_classes = 0,
  } = architecture
  const stages = planes ?? layers.map((_, stage) => width * 2 ** stage)
  const convs = (stem?.convs ?? []).map(
    ({ out, kernel, stride }) => `${kernel}x${kernel} to ${out}${stride > 1 ? ` stride ${stride}` : ''}`,
  )
  const embedding = nodes.find(({ name }) => name === outputs.embedding)?.shape[0]
  return [
    [
      'stem',
      `${architecture.in_channels} channels, ${convs.join(', ')}${stem?.max_pool ? ', max-pool 3x3 stride 2' : ''}`,
    ],
    ['blocks', `${block}, ${layers.join(' ')}${architecture.preactivation ? ', pre-activation' : ''}`],
    ['planes', `${stages.join(' ')}${base_width === undefined ? '' : `, base width ${base_width}`}`],
    ['shortcut', shortcut ?? 'projection'],
    ['embedding', `${embedding} values, ${pool === 'bands' ? 'a linear layer on four bands' : 'the global average'}`],
    [
      'classifier',
      num_classes === 0 ? 'none: the model serves /embed' : [...hidden_sizes, `${num_classes} classes`].join(', '),
    ],
  ]
}

function inputText(input: InputJson): string {
  const { height, width, channels, resize, interpolation, crop, mean, std } = input
  const fitted =
    resize === undefined
      ? ''
      : `: resize ${String(resize).replace(',', 'x')} ${interpolation}${crop ? ', centre crop' : ''}`
  return `${height}x${width} ${channels ?? 'grey'}${fitted}; mean ${[mean].flat().join(' ')}, std ${[std].flat().join(' ')}`
}

function choiceLines({ choices }: ImportPlan): string[] {
  if (choices.length === 0) return []
  return [
    '',
    'not to be seen in names and shapes:',
    ...choices.flatMap(({ choice, value, source, isOpen }) => {
      const others = choice.values.filter((each) => each !== value).map((each) => `--${choice.flag} ${each}`)
      return [
        `  ${choice.flag.padEnd(18)} ${value.padEnd(12)} ${source}${isOpen ? `; else ${others.join(', ')}` : ''}`,
        `  ${''.padEnd(18)} ${choice.what}`,
      ]
    }),
  ]
}

const SHOWN = 8

function leftOverLines(leftOver: string[]): string[] {
  if (leftOver.length === 0) return []
  const more = leftOver.length > SHOWN ? [`  and ${leftOver.length - SHOWN} more`] : []
  return ['', 'also in the file, and left over:', ...leftOver.slice(0, SHOWN).map((each) => `  ${each}`), ...more]
}

function writtenLines({ name, folder, dtype, engine, difference, isServed }: Written, plan: ImportPlan): string[] {
  const agreed =
    difference === undefined ? 'it ran once' : `it answers as PyTorch did (difference ${difference.toExponential(1)})`
  const repository = isServed ? '' : `MODEL_REPOSITORY=${dirname(dirname(folder))} `
  const route = plan.recognized.architecture.num_classes === 0 ? 'embed' : 'classify'
  return [
    '',
    `written to ${folder} in ${dtype}; on ${engine} ${agreed}`,
    ...(plan.choices.some(({ isOpen }) => isOpen) ? ['', ...checkHint(plan)] : []),
    '',
    'next:',
    `  ${repository}DEFAULT_MODEL=${name} npm start`,
    `  curl -F file=@picture.jpg http://127.0.0.1:8080/${route}`,
  ]
}

function checkHint({ input, recognized }: ImportPlan): string[] {
  const { height, width } = input.input
  const answer = recognized.architecture.num_classes === 0 ? 'embedding' : 'logits'
  return [
    "to settle what is open by PyTorch's own answers, write them, and import with --force --check check.safetensors:",
    `  x = torch.randn(4, ${recognized.architecture.in_channels}, ${height}, ${width})`,
    `  with torch.no_grad(): ${answer} = model.eval()(x)`,
    `  safetensors.torch.save_file({"input": x, "${answer}": ${answer}}, "check.safetensors")`,
  ]
}

function rows(entries: [string, string][]): string[] {
  return entries.map(([name, value]) => `  ${name.padEnd(12)} ${value}`)
}
