import { announce } from './elements.ts'

interface Point {
  x: number
  y: number
}

const PEN_WIDTH = 24
const [PAPER, INK] = ['#ffffff', '#111111']
/** Of the keyboard's pen, in pixels of the canvas. */
const [STEP, LONG_STEP] = [16, 64]

interface PadEvents {
  /** What is drawn has changed; `resting` once the pen is lifted. */
  onChange(resting: boolean): void
  onClear(): void
}

/** A sheet of paper to draw on with mouse, finger, pen or keyboard. It keeps its strokes, so that they can be undone. */
export class DrawingPad {
  readonly #canvas: HTMLCanvasElement
  readonly #marker: HTMLElement
  readonly #events: PadEvents
  #strokes: Point[][] = []
  /** The pointer that draws; others, such as the palm beside the pen, do not. */
  #pointer: number | undefined
  #pen: Point
  #penIsDown = false

  constructor(canvas: HTMLCanvasElement, marker: HTMLElement, events: PadEvents) {
    this.#canvas = canvas
    this.#marker = marker
    this.#events = events
    this.#pen = { x: canvas.width / 2, y: canvas.height / 2 }
    this.#repaint()
    canvas.addEventListener('pointerdown', (event) => this.#begin(event))
    canvas.addEventListener('pointermove', (event) => this.#move(event))
    for (const end of ['pointerup', 'pointercancel'] as const) canvas.addEventListener(end, (event) => this.#end(event))
    canvas.addEventListener('keydown', (event) => this.#key(event))
    canvas.addEventListener('blur', () => this.#liftPen())
  }

  get isEmpty(): boolean {
    return this.#strokes.length === 0
  }

  undo(): void {
    if (this.#strokes.pop() === undefined) return
    this.#repaint()
    if (this.isEmpty) this.#events.onClear()
    else this.#events.onChange(true)
  }

  clear(): void {
    this.#liftPen()
    this.#strokes = []
    this.#repaint()
    this.#events.onClear()
  }

  /**
   * The drawing as a PNG, at once. `canvas.toBlob` of Chromium waits until the page is idle, for a whole second while the pen is
   * down.
   */
  toPng(): Blob {
    const [, base64 = ''] = this.#canvas.toDataURL('image/png').split(',')
    return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type: 'image/png' })
  }

  #begin(event: PointerEvent): void {
    if (this.#pointer !== undefined || event.button !== 0) return
    this.#pointer = event.pointerId
    this.#canvas.setPointerCapture(event.pointerId)
    this.#marker.hidden = true
    this.#penIsDown = false
    this.#strokes.push([])
    this.#extend(this.#pointOf(event))
    this.#events.onChange(false)
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return
    // All positions since the last event, of which browsers send one a frame.
    const coalesced = event.getCoalescedEvents()
    for (const each of coalesced.length > 0 ? coalesced : [event]) this.#extend(this.#pointOf(each))
    this.#events.onChange(false)
  }

  #end(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return
    this.#pointer = undefined
    this.#events.onChange(true)
  }

  #pointOf({ clientX, clientY }: PointerEvent): Point {
    const { left, top, width } = this.#canvas.getBoundingClientRect()
    const scale = this.#canvas.width / width
    return { x: (clientX - left) * scale, y: (clientY - top) * scale }
  }

  #extend(point: Point): void {
    const stroke = this.#strokes.at(-1)
    if (stroke === undefined) return
    this.#line(stroke.at(-1) ?? point, point)
    stroke.push(point)
  }

  #line(from: Point, to: Point): void {
    const context = this.#context
    Object.assign(context, { lineWidth: PEN_WIDTH, lineCap: 'round', strokeStyle: INK })
    context.beginPath()
    context.moveTo(from.x, from.y)
    context.lineTo(to.x, to.y)
    context.stroke()
  }

  #repaint(): void {
    this.#context.fillStyle = PAPER
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height)
    for (const stroke of this.#strokes) {
      for (const [i, point] of stroke.entries()) this.#line(stroke[i - 1] ?? point, point)
    }
  }

  get #context(): CanvasRenderingContext2D {
    return this.#canvas.getContext('2d') as CanvasRenderingContext2D
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== 'z')) return
    const step = event.shiftKey ? LONG_STEP : STEP
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.#movePen(-step, 0),
      ArrowRight: () => this.#movePen(step, 0),
      ArrowUp: () => this.#movePen(0, -step),
      ArrowDown: () => this.#movePen(0, step),
      ' ': () => this.#togglePen(),
      Backspace: () => this.undo(),
      Delete: () => this.clear(),
      ...(event.ctrlKey && { z: () => this.undo() }),
    }
    const action = actions[event.key]
    if (action === undefined) return
    event.preventDefault()
    action()
    this.#showPen()
  }

  #movePen(dx: number, dy: number): void {
    const clamp = (value: number): number => Math.min(this.#canvas.width - PEN_WIDTH, Math.max(PEN_WIDTH, value))
    this.#pen = { x: clamp(this.#pen.x + dx), y: clamp(this.#pen.y + dy) }
    if (!this.#penIsDown) return
    this.#extend(this.#pen)
    this.#events.onChange(false)
  }

  #togglePen(): void {
    if (this.#penIsDown) {
      this.#liftPen()
      return
    }
    this.#penIsDown = true
    this.#strokes.push([])
    this.#extend(this.#pen)
    this.#events.onChange(false)
    announce('The pen is down.')
  }

  #liftPen(): void {
    this.#marker.hidden = true
    if (!this.#penIsDown) return
    this.#penIsDown = false
    announce('The pen is lifted.')
    this.#events.onChange(true)
  }

  #showPen(): void {
    this.#marker.hidden = false
    this.#marker.classList.toggle('down', this.#penIsDown)
    this.#marker.style.left = `${(100 * this.#pen.x) / this.#canvas.width}%`
    this.#marker.style.top = `${(100 * this.#pen.y) / this.#canvas.height}%`
  }
}
