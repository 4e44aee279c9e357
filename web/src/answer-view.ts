import { classesChart } from './charts/classes.ts'
import { embeddingChart } from './charts/embedding.ts'
import { stagesChart } from './charts/stages.ts'
import { byId } from './elements.ts'
import { formatMs, formatProbability } from './format.ts'
import { paintSeen } from './seen.ts'
import type { Picture } from './tray.ts'

/** What the model made of one picture. Returns what shows another, or none. */
export function answerView(): (picture: Picture | undefined) => void {
  const showClasses = classesChart(byId('classes-chart', HTMLCanvasElement))
  const showEmbedding = embeddingChart(byId('embedding-chart', HTMLCanvasElement))
  const showStages = stagesChart(byId('stages-chart', HTMLCanvasElement), byId('stages'))

  return (picture) => {
    byId('no-answer').hidden = picture !== undefined
    byId('answer').hidden = picture === undefined
    if (picture === undefined) return
    const { answer, model } = picture
    byId('classes').hidden = answer.top === undefined
    const [likeliest] = answer.top ?? []
    if (answer.top !== undefined && likeliest !== undefined) {
      byId('label').textContent = likeliest.label
      byId('label').parentElement?.classList.toggle('long', likeliest.label.length > 12)
      byId('probability').textContent = formatProbability(likeliest.probability, model.activation)
      showClasses(answer.top, model)
    }
    showEmbedding(answer.embedding)
    paintSeen(byId('seen', HTMLCanvasElement), answer.input, model)
    byId('seen-shape').textContent = `${model.input.width} × ${model.input.height}`
    showStages(answer.timing)
    const { totalMs, batchSize } = answer.timing
    const batch = batchSize === undefined ? 'from the cache' : `in a batch of ${batchSize}`
    byId('total').textContent = `${formatMs(totalMs)} in all, ${batch}`
  }
}

/** The answer for those who hear it. */
export function spoken({ answer, model, name }: Picture): string {
  if (answer.top === undefined) return `Picture ${name}: an embedding of ${answer.embedding.length} numbers.`
  const say = answer.top
    .slice(0, 2)
    .map((each) => `${each.label}, ${formatProbability(each.probability, model.activation)}`)
  return `${say.join('; then ')}.`
}
