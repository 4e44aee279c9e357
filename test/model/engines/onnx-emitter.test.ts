import ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { parseArchitecture } from '../../../src/model/architecture.ts'
import { emitOnnx } from '../../../src/model/engines/onnx-emitter.ts'
import type { Graph } from '../../../src/model/graph.ts'
import { buildResNet } from '../../../src/model/resnet.ts'
import { AnyWeights } from '../any-weights.ts'

function resnet(shortcut: 'projection' | 'zero-pad'): Graph {
  const sizes = { width: 3, embedding_size: 4, num_classes: 2 }
  const architecture = parseArchitecture({ block: 'basic', layers: [1, 1], shortcut, ...sizes })
  return buildResNet(architecture, new AnyWeights(), 9, 7)
}

describe.each(['projection', 'zero-pad'] as const)('the ONNX model of a ResNet with a %s shortcut', (shortcut) => {
  const bytes = emitOnnx(resnet(shortcut))

  it("has the graph's input and outputs, batch dimension free", async () => {
    const session = await ort.InferenceSession.create(bytes)
    const type = 'float32'
    expect(session.inputMetadata).toEqual([{ name: 'input', isTensor: true, type, shape: ['batch', 1, 9, 7] }])
    expect(session.outputMetadata).toEqual([
      { name: 'linear', isTensor: true, type, shape: ['batch', 2] },
      { name: 'fc', isTensor: true, type, shape: ['batch', 4] },
    ])
    await session.release()
  })

  it('runs batches of any size', async () => {
    const session = await ort.InferenceSession.create(bytes)
    for (const size of [1, 5, 2]) {
      const input = new ort.Tensor('float32', new Float32Array(size * 63).fill(0.5), [size, 1, 9, 7])
      const { linear, fc } = await session.run({ input })
      expect([linear?.dims, fc?.dims]).toEqual([
        [size, 2],
        [size, 4],
      ])
    }
    await session.release()
  })
})
