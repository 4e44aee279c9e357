import { describe, expect, it } from 'vitest'
import { AnswerReader } from '../../bench/load/answer-reader.ts'

function answer(status: number, body: string): string {
  return `HTTP/1.1 ${status} Text\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function statusesOf(chunks: string[]): number[] {
  const statuses: number[] = []
  const reader = new AnswerReader((status) => statuses.push(status))
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return statuses
}

describe('AnswerReader', () => {
  const bytes = answer(200, 'hello') + answer(503, '') + answer(404, '\r\n\r\nHTTP/1.1 200 OK\r\n\r\n')

  it('finds each answer by its length, whatever its body looks like', () => {
    expect(statusesOf([bytes])).toEqual([200, 503, 404])
  })

  it('does so however the bytes are cut', () => {
    for (let size = 1; size < 40; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      )
      expect(statusesOf(chunks), `chunks of ${size}`).toEqual([200, 503, 404])
    }
  })

  it('keeps nothing of a buffer that is used again', () => {
    const statuses: number[] = []
    const reader = new AnswerReader((status) => statuses.push(status))
    const text = answer(200, 'x')
    for (let i = 0; i < text.length; i += 7) {
      const buffer = Buffer.from(text.slice(i, i + 7))
      reader.push(buffer)
      buffer.fill(0)
    }
    expect(statuses).toEqual([200])
  })

  it('refuses an answer whose end it cannot know', () => {
    expect(() => statusesOf(['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'])).toThrow('without a length')
    expect(() => statusesOf(['SSH-2.0-OpenSSH\r\n\r\n'])).toThrow('without a length')
  })
})
