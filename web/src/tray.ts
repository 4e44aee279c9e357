import type { Answer, Model } from './api.ts'

/** A picture and what the model made of it. */
export interface Picture {
  id: number
  /** Its place among all that were shown. */
  number: number
  /** What it is called beside the others: its number, and its class if the model has any. */
  name: string
  /** What was sent. */
  blob: Blob
  fileName: string
  thumbnail: HTMLCanvasElement
  model: Model
  answer: Answer
}

const MOST = 12

/** The last pictures, the oldest first. */
export class Tray {
  #pictures: Picture[] = []
  #count = 0

  /** Numbers and adds the picture, or replaces the one with its id; the oldest one leaves when there are too many. */
  put(picture: Omit<Picture, 'number' | 'name'>): Picture {
    const place = this.#pictures.findIndex(({ id }) => id === picture.id)
    const number = this.#pictures[place]?.number ?? ++this.#count
    const [likeliest] = picture.answer.top ?? []
    const named = {
      ...picture,
      number,
      name: likeliest === undefined ? `#${number}` : `#${number}: ${likeliest.label}`,
    }
    if (place >= 0) this.#pictures[place] = named
    else this.#pictures = [...this.#pictures, named].slice(-MOST)
    return named
  }

  remove(id: number): void {
    this.#pictures = this.#pictures.filter((picture) => picture.id !== id)
  }

  /** Those whose embeddings can be compared with the model's. */
  comparable(model: Model): Picture[] {
    return this.#pictures.filter((picture) => picture.model.embedding_space === model.embedding_space)
  }
}
