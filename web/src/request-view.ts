import { mediaType, requestUrl } from './api.ts'
import { storedKey } from './api-key.ts'
import { announce, byId } from './elements.ts'
import { type Language, SNIPPETS } from './snippets.ts'
import type { Picture } from './tray.ts'

/** The request of one picture as code to copy. Returns what shows another's, or none. */
export function requestView(): (picture: Picture | undefined) => void {
  let shown: Picture | undefined
  const code = byId('snippet')
  const copy = byId('copy')

  function update(): void {
    byId('request').hidden = shown === undefined
    if (shown === undefined) return
    const chosen = document.querySelector<HTMLInputElement>('input[name="language"]:checked')
    const snippet = SNIPPETS[(chosen?.value ?? 'curl') as Language]
    const { fileName: file, model, blob } = shown
    code.textContent = snippet({
      url: requestUrl(model).href,
      file,
      type: mediaType(blob),
      needsKey: storedKey() !== null,
    })
  }

  for (const radio of document.querySelectorAll('input[name="language"]')) radio.addEventListener('change', update)
  copy.addEventListener('click', async () => {
    const copied = await copyText(code)
    copy.textContent = copied ? 'Copied' : 'Press Ctrl+C'
    announce(copied ? 'Copied.' : 'The code is selected: press Control and C.')
    setTimeout(() => {
      copy.textContent = 'Copy'
    }, 2000)
  })
  return (picture) => {
    shown = picture
    update()
  }
}

/** Browsers have a clipboard for pages of HTTPS and of this machine alone; elsewhere the text is selected, to be copied by hand. */
async function copyText(element: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(element.textContent ?? '')
    return true
  } catch {
    getSelection()?.selectAllChildren(element)
    return false
  }
}
