import { cosine } from '../engines/cosine.ts'
import type { OnnxSession } from '../engines/onnx/sessions.ts'
import type { Graph } from '../resnet/graph.ts'
import type { SampleSet } from './sample-set.ts'

/** The answers of one precision to a set of samples. */
export interface Answers {
  /** One row per sample. */
  embeddings: Float32Array[]
  /** Index of the highest logit, per sample; empty if the model has no classifier. */
  classes: number[]
  /** The label of each sample, if it has one. */
  labels: (string | undefined)[]
}

export async function answersOf(
  session: OnnxSession,
  { outputs }: Graph,
  samples: SampleSet,
  batchSize: number,
  onProgress: (done: number) => void = () => {},
): Promise<Answers> {
  const answers: Answers = { embeddings: [], classes: [], labels: [] }
  for await (const { input, labels, size } of samples.batches(batchSize)) {
    const values = await session.run(input, size)
    const rowsOf = (name: string): Float32Array[] => {
      return labels.map((_, i) => row(values[name] as Float32Array, i, size))
    }
    answers.embeddings.push(...rowsOf(outputs.embedding))
    if (outputs.logits !== undefined) answers.classes.push(...rowsOf(outputs.logits).map(argmax))
    answers.labels.push(...labels)
    onProgress(answers.embeddings.length)
  }
  return answers
}

/** How well int8 agrees with fp32. */
export interface Comparison {
  samples: number
  /** Of the embeddings. */
  cosine_mean: number
  cosine_min: number
  /** Share of the samples to which both give the same class; absent if the model has no classifier. */
  agreement?: number
  /** Share of the labelled samples that each classifies correctly; absent if no label is one of the model's. */
  accuracy?: { samples: number; fp32: number; int8: number }
}

/** `names` are the model's labels, in the order of its logits. */
export function compare(fp32: Answers, int8: Answers, names: string[]): Comparison {
  const cosines = fp32.embeddings.map((embedding, i) => cosine(embedding, int8.embeddings[i] as Float32Array))
  const result: Comparison = {
    samples: cosines.length,
    cosine_mean: mean(cosines),
    cosine_min: rounded(cosines.reduce((least, next) => Math.min(least, next), 1)),
  }
  if (fp32.classes.length === 0) return result
  result.agreement = mean(fp32.classes.map((id, i) => Number(id === int8.classes[i])))
  const truth = fp32.labels.map((label) => (label === undefined ? -1 : names.indexOf(label)))
  const labelled = truth.flatMap((id, i) => (id === -1 ? [] : [i]))
  if (labelled.length === 0) return result
  const right = ({ classes }: Answers): number => mean(labelled.map((i) => Number(classes[i] === truth[i])))
  return { ...result, accuracy: { samples: labelled.length, fp32: right(fp32), int8: right(int8) } }
}

function row(values: Float32Array, index: number, count: number): Float32Array {
  const size = values.length / count
  return values.slice(index * size, (index + 1) * size)
}

function argmax(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i
  return best
}

/** To six decimals, for people who read model.json. */
function rounded(value: number): number {
  return Number(value.toFixed(6))
}

function mean(values: number[]): number {
  return rounded(values.reduce((sum, value) => sum + value, 0) / values.length)
}
