import sharp from 'sharp'
import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../../helpers/build.ts'
import { keepAliveClient } from '../../helpers/keep-alive.ts'
import { floats, greyPng } from '../../helpers/pictures.ts'

const TENSORS = 'application/octet-stream'

async function post(type: string, body: Buffer) {
  const { app } = await build()
  return request(app.server).post('/classify').set('content-type', type).send(body)
}

describe('the type of a body', () => {
  it.each([
    'image/png',
    'image/jpeg',
    'image/webp',
    'image/jpg',
    'image/pjpeg',
    'image/x-png',
    'Image/JPG',
    'image/jpg; charset=binary',
  ])('%s is one picture, whichever of the formats it holds', async (type) => {
    const picture = sharp(await greyPng(51))
    for (const bytes of await Promise.all([
      picture.png().toBuffer(),
      picture.jpeg().toBuffer(),
      picture.webp().toBuffer(),
    ])) {
      expect((await post(type, bytes)).body.results).toHaveLength(1)
    }
  })

  it.each(['png', 'jpeg', 'webp'] as const)(
    'is said to be wrong where %s comes as tensors, of any length',
    async (format) => {
      const bytes = await sharp(await greyPng(51))
        .toFormat(format)
        .toBuffer()
      // From one that fits no tensor to one that fits.
      for (let more = 0; more < 24; more++) {
        const { body } = await post(TENSORS, Buffer.concat([bytes, Buffer.alloc(more)]))
        expect(body.code).toBe('invalid_tensor')
        expect(body.detail).toContain(`send Content-Type: image/${format}`)
      }
    },
  )

  it('is right where a tensor begins with the first bytes of a JPEG', async () => {
    const tensor = floats(0, 0, 0, 0, 0, 0)
    tensor.writeUInt32BE(0xffd8ff3f)
    expect(tensor.readFloatLE()).toBeCloseTo(1.9988)
    expect((await post(TENSORS, tensor)).status).toBe(200)
  })

  it.each([
    ['multipart/form-data', 400],
    ['multipart/form-data; charset=utf-8', 400],
    ['multipart/form-data; boundary=', 400],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/mixed; boundary=b', 415],
    ['nonsense', 415],
  ])('%s is refused on a connection that can be used again', async (type, status) => {
    const { app } = await build()
    const client = await keepAliveClient(app)
    for (const body of [Buffer.alloc(90_000), [Buffer.alloc(90_000), Buffer.alloc(5)]]) {
      expect((await client('/classify', type, body)).status).toBe(status)
      expect((await client('/classify', TENSORS, floats(1, 2, 3, 4, 5, 6))).status).toBe(200)
    }
  })

  it.each([
    'multipart/form-data; boundary="b"',
    'Multipart/Form-Data;Boundary=b',
    'multipart/form-data; charset=utf-8; boundary=b',
  ])('may say its boundary in any way: %s', async (type) => {
    const part = '--b\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\n'
    const form = Buffer.concat([Buffer.from(part), await greyPng(51), Buffer.from('\r\n--b--\r\n')])
    expect((await post(type, form)).body.results).toHaveLength(1)
  })

  it('is cut short in the refusal where it is long', async () => {
    const { body } = await post(`text/${'x'.repeat(5000)}`, Buffer.from('x'))
    expect(body.detail.length).toBeLessThan(300)
  })
})
