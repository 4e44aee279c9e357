import { describe, expect, it } from 'vitest'
import { formatOf } from '../../src/preprocessing/image-format.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('formatOf', () => {
  it.each([
    ['png', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR'],
    ['jpeg', '\xff\xd8\xff\xe0\0\x10JFIF'],
    ['webp', 'RIFF\x24\0\0\0WEBPVP8 '],
  ])('knows %s by its first bytes', (format, head) => {
    expect(formatOf(bytes(head))).toBe(format)
  })

  it('looks at the bytes of a view, not at the memory around it', () => {
    const around = bytes('GIF89a\x89PNG\r\n\x1a\n')
    expect(formatOf(new Uint8Array(around.buffer, around.byteOffset + 6, 8))).toBe('png')
  })

  it.each([
    ['GIF', 'GIF89a'],
    ['GIF', 'GIF87a'],
    ['TIFF', 'II*\0'],
    ['TIFF', 'MM\0*'],
    ['BMP', 'BM\x36\0'],
    ['PDF', '%PDF-1.7'],
    ['HEIF or AVIF', '\0\0\0\x20ftypavif'],
    ['HEIF or AVIF', '\0\0\0\x18ftypheic'],
    ['JPEG XL', '\xff\x0a'],
    ['JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['Photoshop', '8BPS\0\x01'],
    ['SVG or XML', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['SVG or XML', '\xef\xbb\xbf \n<?xml version="1.0"?>'],
    ['SVG or XML', '<!DOCTYPE svg>'],
    ['SVG or XML', `${' '.repeat(900)}<svg/>`],
    ['SVG or XML', '\xff\xfe<\0s\0v\0g\0'],
    ['gzip', '\x1f\x8b\x08\0'],
    ['PDF', '\n\nfirst %PDF-1.4'],
  ])('refuses %s by name: %j', (name, head) => {
    expect(() => formatOf(bytes(head))).toThrow(
      expect.objectContaining({
        code: 'unsupported_image_format',
        message: `${name} is not supported; send PNG, JPEG or WebP`,
      }),
    )
  })

  it.each([
    ['nothing', '', 'the image is empty'],
    ['text', 'hello', 'the bytes are not an image'],
    ['a RIFF file that is no WebP', 'RIFF\x24\0\0\0WAVEfmt ', 'the bytes are not an image'],
    ['half a signature', '\x89PNG', 'the bytes are not an image'],
  ])('refuses %s', (_, head, message) => {
    expect(() => formatOf(bytes(head))).toThrow(expect.objectContaining({ code: 'undecodable_image', message }))
  })
})
