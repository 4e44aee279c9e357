/** Takes pictures that are picked, dropped anywhere on the page, or pasted. */
export function receivePictures(input: HTMLInputElement, onPictures: (files: File[]) => void): void {
  const receive = (files: FileList | null | undefined): void => {
    if (files && files.length > 0) onPictures([...files])
  }
  input.addEventListener('change', () => {
    receive(input.files)
    // So that the same file can be picked again.
    input.value = ''
  })
  document.addEventListener('paste', (event) => receive(event.clipboardData?.files))
  const { classList } = document.body
  document.addEventListener('dragover', (event) => {
    event.preventDefault()
    classList.add('dragging')
  })
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) classList.remove('dragging')
  })
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    classList.remove('dragging')
    receive(event.dataTransfer?.files)
  })
}

const SIDE = 96

/** The middle of a picture in a small square; empty if the browser cannot read it. */
export async function thumbnailOf(blob: Blob): Promise<HTMLCanvasElement> {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = SIDE
  const bitmap = await createImageBitmap(blob).catch(() => undefined)
  if (bitmap !== undefined) {
    const side = Math.min(bitmap.width, bitmap.height)
    const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2]
    canvas.getContext('2d')?.drawImage(bitmap, x, y, side, side, 0, 0, SIDE, SIDE)
    bitmap.close()
  }
  return canvas
}
