import { describe, expect, it } from 'vitest'
import { float32ToFloat16 } from '../../../src/repository/float16.ts'
import { floats, greyPng } from '../../helpers/pictures.ts'
import { binaryInput, input, lengthPrefixed, openInferenceClient } from './client.ts'

const SIX = floats(1, 2, 3, 4, 5, 6)
const RAW = { 'inference-header-content-length': '0' }

describe('binary data behind the JSON of a request', () => {
  // Any length of the JSON before it: values need not be aligned.
  it.each(['', 'a', 'ab', 'abc'])('is read as float32, with id "%s"', async (id) => {
    const { inferBinary } = await openInferenceClient()
    const { status, json } = await inferBinary({ id, inputs: [binaryInput(24)] }, SIX)
    expect([status, json.id, json.outputs[0]?.data]).toEqual([200, id, [1, 2, 3]])
  })

  it('is read as float16', async () => {
    const { inferBinary } = await openInferenceClient()
    for (const id of ['', 'a']) {
      const half = Buffer.from(float32ToFloat16(Float32Array.of(0.5, -2, 3, 4, 5, 6)).buffer)
      const { json } = await inferBinary({ id, inputs: [binaryInput(12, { datatype: 'FP16' })] }, half)
      expect(json.outputs[0]?.data).toEqual([0.5, -2, 3])
    }
  })

  it('is read as pixels', async () => {
    const { inferBinary } = await openInferenceClient()
    const { json } = await inferBinary(
      { inputs: [binaryInput(6, { datatype: 'UINT8' })] },
      Buffer.of(0, 51, 255, 0, 0, 0),
    )
    expect(json.outputs[0]?.data).toEqual([0, 0.2, 1])
  })

  it('is read as images, each behind its length', async () => {
    const { inferBinary, model } = await openInferenceClient()
    const pictures = lengthPrefixed(await greyPng(255), await greyPng(0))
    const request = { inputs: [binaryInput(pictures.length, { datatype: 'BYTES', shape: [2] })] }
    expect((await inferBinary(request, pictures)).status).toBe(200)
    expect(model.calls[0]?.inputs.map(([first]) => first)).toEqual([1, 0])
  })

  it('may be none, with JSON that is as long as the header says', async () => {
    const { inferBinary } = await openInferenceClient()
    expect((await inferBinary({ inputs: [input()] })).status).toBe(200)
  })
})

describe('a binary answer', () => {
  const ask = async (parameters: object | undefined, outputs?: object[]) => {
    const { infer } = await openInferenceClient()
    return infer({ inputs: [input()], parameters, outputs })
  }

  it('has all outputs behind the JSON, in their order, with binary_data_output', async () => {
    const { type, headers, json, binary } = await ask({ binary_data_output: true })
    expect(type).toBe('application/octet-stream')
    expect(headers).toMatchObject({
      'x-embedding-space': '0123456789abcdef',
      'server-timing': expect.stringMatching(/batch/),
    })
    expect(json.outputs).toMatchObject([
      { name: 'logits', datatype: 'FP32', shape: [1, 3], parameters: { binary_data_size: 12 } },
      { name: 'probabilities', parameters: { binary_data_size: 12 } },
      { name: 'embedding', parameters: { binary_data_size: 16 } },
    ])
    expect(json.outputs.every((output) => !('data' in output))).toBe(true)
    expect(binary.subarray(0, 12)).toEqual(floats(1, 2, 3))
    expect(binary.subarray(24)).toEqual(floats(3, 4, 5, 6))
  })

  it('has those outputs that ask for it, and the others in JSON', async () => {
    const { json, binary } = await ask(undefined, [
      { name: 'logits' },
      { name: 'embedding', parameters: { binary_data: true } },
    ])
    expect(json.outputs).toEqual([
      { name: 'logits', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] },
      { name: 'embedding', datatype: 'FP32', shape: [1, 4], parameters: { binary_data_size: 16 } },
    ])
    expect(binary).toEqual(floats(3, 4, 5, 6))
  })

  it('leaves out those outputs that ask for JSON', async () => {
    const outputs = [{ name: 'logits', parameters: { binary_data: false } }, { name: 'embedding' }]
    const { json, binary } = await ask({ binary_data_output: true }, outputs)
    expect(json.outputs[0]).toMatchObject({ data: [1, 2, 3] })
    expect(binary).toEqual(floats(3, 4, 5, 6))
  })

  it('is plain JSON where every output asks for that', async () => {
    const outputs = [{ name: 'logits', parameters: { binary_data: false } }]
    const { type, headers } = await ask({ binary_data_output: true }, outputs)
    expect(type).toBe('application/json')
    expect(headers).not.toHaveProperty('inference-header-content-length')
  })

  it('has classes as text, each behind its length', async () => {
    const { json, binary } = await ask(undefined, [
      { name: 'logits', parameters: { classification: 2, binary_data: true } },
    ])
    const expected = lengthPrefixed('3:2:two', '2:1:one')
    expect(json.outputs[0]).toMatchObject({ datatype: 'BYTES', parameters: { binary_data_size: expected.length } })
    expect(binary).toEqual(expected)
  })

  it('has a row for each input', async () => {
    const { infer } = await openInferenceClient()
    const data = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
    const outputs = [{ name: 'embedding', parameters: { binary_data: true } }]
    const { binary } = await infer({ inputs: [input({ shape: [2, 1, 2, 3], data })], outputs })
    expect(binary).toEqual(floats(3, 4, 5, 6, 13, 14, 15, 16))
  })
})

describe('a request without JSON', () => {
  it('is one float32 input, answered as bytes', async () => {
    const { post } = await openInferenceClient()
    const { status, json, binary } = await post(SIX, RAW)
    expect([status, json.outputs.length]).toEqual([200, 3])
    expect(binary.subarray(0, 12)).toEqual(floats(1, 2, 3))
  })

  it('is one picture, with or without its length in front', async () => {
    const { post, model } = await openInferenceClient()
    const png = await greyPng(255)
    for (const body of [png, lengthPrefixed(png)]) expect((await post(body, RAW)).status).toBe(200)
    expect(model.calls.map(({ inputs }) => inputs[0]?.[0])).toEqual([1, 1])
  })

  it('is refused where it is neither', async () => {
    const { post } = await openInferenceClient()
    const { status, json } = await post(floats(1, 2, 3), RAW)
    expect(status).toBe(400)
    expect(json.error).toBe(
      'without JSON the body must be a PNG, JPEG or WebP, or FP32 of shape [1,1,2,3], 24 bytes; it has 12 bytes',
    )
  })
})
