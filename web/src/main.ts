import { answerView, spoken } from './answer-view.ts'
import { type Answer, ask, Failure, type Model, takesDrawings } from './api.ts'
import { askForKey } from './api-key.ts'
import { DrawingPad } from './drawing-pad.ts'
import { announce, byId, create } from './elements.ts'
import { pickModel } from './model-picker.ts'
import { hideNotice, showNotice } from './notice.ts'
import { receivePictures, thumbnailOf } from './pictures.ts'
import { RequestLine } from './request-line.ts'
import { requestView } from './request-view.ts'
import { Tray } from './tray.ts'
import { trayView } from './tray-view.ts'

/** A pen that has not moved for so long rests. */
const REST_MS = 40
/** An answer that takes longer is worth a word, and can be canceled. */
const SLOW_MS = 2000

/** Something to ask about: a file, or the drawing as it is when its turn comes. */
interface Source {
  id: number
  fileName: string
  read: () => Promise<Blob>
}

const line = new RequestLine({
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as number | undefined),
})
const tray = new Tray()
const showAnswer = answerView()
const showRequest = requestView()
const showTray = trayView({
  show: ({ id }) => show(id),
  remove: ({ id }) => {
    tray.remove(id)
    render()
  },
})
const pad = new DrawingPad(byId('pad', HTMLCanvasElement), byId('pen'), {
  onChange: (resting) => askAboutDrawing(resting ? 0 : REST_MS),
  onClear: startDrawing,
})

let model: Model | undefined
let lastId = 0
/** The picture in view, or the one whose answer will be. */
let shown = 0
let drawing: Source = newDrawing()
/** Of pictures that the server did not take, until something else is asked. */
let refusals: string[] = []

function newDrawing(): Source {
  return { id: ++lastId, fileName: 'drawing.png', read: async () => pad.toPng() }
}

/** What was drawn so far stays in the tray; what comes is another picture. */
function startDrawing(): void {
  drawing = newDrawing()
  byId('pad-hint').hidden = false
  show(drawing.id)
}

function askAboutDrawing(restMs: number): void {
  byId('pad-hint').hidden = true
  refusals = []
  shown = drawing.id
  const source = drawing
  line.draw(() => send(source), restMs)
}

function askAboutFiles(files: File[]): void {
  refusals = []
  const sources = files.map((file): Source => ({ id: ++lastId, fileName: file.name, read: async () => file }))
  line.add(
    ...sources.map((source) => () => {
      shown = source.id
      return send(source)
    }),
  )
}

/** Asks about one picture and shows the answer, or says why there is none. The rest of a `Job`. */
async function send(source: Source): Promise<number | undefined> {
  const asked = model
  if (asked === undefined) return undefined
  try {
    const blob = await source.read()
    const answer = await patiently((signal) => ask(asked, blob, signal))
    if (refusals.length === 0) hideNotice()
    await keep(source, blob, asked, answer)
    return undefined
  } catch (error) {
    if (error instanceof Failure) return explain(error, source)
    throw error
  }
}

async function patiently<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const cancel = (): void => {
    line.clear()
    abort.abort()
  }
  const slow = setTimeout(
    () => showNotice('The server is slow: it has not answered for 2 s.', { label: 'Cancel', run: cancel }),
    SLOW_MS,
  )
  try {
    return await run(abort.signal)
  } finally {
    clearTimeout(slow)
  }
}

async function keep({ id, fileName }: Source, blob: Blob, asked: Model, answer: Answer): Promise<void> {
  const picture = tray.put({ id, blob, fileName, model: asked, answer, thumbnail: await thumbnailOf(blob) })
  render()
  if (id === shown) announce(spoken(picture))
}

async function explain({ kind, message, retryMs }: Failure, source: Source): Promise<number | undefined> {
  const again = (): void => line.add(() => send(source))
  if (kind === 'key') {
    if (await askForKey()) return send(source)
    showNotice(message, { label: 'Enter a key', run: again })
  } else if (kind === 'again') {
    showNotice(message, { label: 'Cancel', run: () => line.clear() })
  } else if (kind === 'refused') {
    refusals.push(source === drawing ? message : `${source.fileName}: ${message}`)
    showNotice(refusals.join('\n'))
  } else {
    showNotice(message, { label: 'Ask again', run: again })
  }
  return retryMs
}

function show(id: number): void {
  shown = id
  render()
}

function render(): void {
  const pictures = model === undefined ? [] : tray.comparable(model)
  const picture = pictures.find(({ id }) => id === shown)
  showAnswer(picture)
  showTray(pictures, shown)
  showRequest(picture)
}

function choose(chosen: Model): void {
  model = chosen
  const draws = takesDrawings(model)
  byId('drawing').hidden = !draws
  byId('drop').classList.toggle('alone', !draws)
  byId('source-title').textContent = draws ? 'Draw' : 'Pictures'
  byId('description').textContent = model.description ?? ''
  // For another model it is another picture.
  drawing = newDrawing()
  if (draws && !pad.isEmpty) askAboutDrawing(0)
  show(drawing.id)
}

byId('new-drawing').addEventListener('click', () => {
  pad.clear()
  byId('pad').focus()
})
byId('undo').addEventListener('click', () => pad.undo())
byId('save').addEventListener('click', () => {
  const href = URL.createObjectURL(pad.toPng())
  create('a', { href, download: 'drawing.png' }).click()
  URL.revokeObjectURL(href)
})
receivePictures(byId('files', HTMLInputElement), askAboutFiles)
render()
void pickModel(choose)
