import { getInfo, type Info, type Model } from './api.ts'
import { askForKey } from './api-key.ts'
import { byId, create } from './elements.ts'
import type { Failure } from './failure.ts'
import { hideNotice, showNotice } from './notice.ts'

/** How often a server that has no model yet is asked again. */
const RETRY_MS = 1000

/** Finds out what is served, and calls `onChoose` with the default model and with each that is chosen later. */
export async function pickModel(onChoose: (model: Model) => void): Promise<void> {
  const again = (): Promise<void> => pickModel(onChoose)
  try {
    const info = await getInfo()
    if (info.models.length > 0) return offer(info, onChoose)
    showNotice(info.status === 'starting' ? 'The server is starting.' : 'This server has no model.')
    setTimeout(again, RETRY_MS)
  } catch (error) {
    const { kind, message, retryMs } = error as Failure
    if (kind === 'key' && (await askForKey())) return again()
    if (retryMs !== undefined) {
      showNotice(message)
      setTimeout(again, retryMs)
      return
    }
    showNotice(message, { label: kind === 'key' ? 'Enter a key' : 'Ask again', run: again })
  }
}

function offer({ models, default_model, engine }: Info, onChoose: (model: Model) => void): void {
  hideNotice()
  const select = byId('model', HTMLSelectElement)
  const hasVersions = new Set(models.map(({ name }) => name)).size < models.length
  const title = ({ name, version }: Model): string => (hasVersions ? `${name} (version ${version})` : name)
  select.replaceChildren(...models.map((model, i) => create('option', { value: String(i) }, title(model))))
  select.disabled = false
  select.onchange = () => {
    const model = models[Number(select.value)]
    if (model === undefined) return
    byId('engine').textContent = engine === null ? model.precision : `${engine.name}, ${model.precision}`
    byId('engine').hidden = false
    onChoose(model)
  }
  select.value = String(
    Math.max(
      0,
      models.findLastIndex(({ name }) => name === default_model),
    ),
  )
  select.onchange(new Event('change'))
}
