import { byId } from './elements.ts'

const NAME = 'resnet-serve-api-key'

/** Kept for this tab, until it is closed. */
export const storedKey = (): string | null => sessionStorage.getItem(NAME)

/** Asks for a key and keeps it. Resolves with false if the dialog was closed without one. */
export function askForKey(): Promise<boolean> {
  const dialog = byId('key-dialog', HTMLDialogElement)
  const input = byId('key', HTMLInputElement)
  byId('key-wrong').hidden = storedKey() === null
  input.value = ''
  dialog.returnValue = ''
  if (!dialog.open) dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'use'), { once: true })
    byId('key-form', HTMLFormElement).onsubmit = (event) => {
      event.preventDefault()
      sessionStorage.setItem(NAME, input.value.trim())
      dialog.close('use')
    }
    byId('key-cancel').onclick = () => dialog.close()
  })
}
