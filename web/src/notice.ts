import { announce, byId } from './elements.ts'

/** A sentence at the top of the page, with a button to do something about it. */
export function showNotice(text: string, action?: { label: string; run: () => void }): void {
  const button = byId('notice-action')
  byId('notice-text').textContent = text
  button.hidden = action === undefined
  button.textContent = action?.label ?? ''
  button.onclick = () => {
    hideNotice()
    action?.run()
  }
  byId('notice').hidden = false
  announce(text)
}

export function hideNotice(): void {
  byId('notice').hidden = true
}
