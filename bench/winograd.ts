/**
 * Convolutions in fp32 by Winograd's algorithm against onnxruntime's direct ones:
 * `npx tsx bench/winograd.ts [version folder] [threads] [batches] [turns] [seconds per turn]` (docs/performance.md).
 */
import { buildOnnx } from '../src/engines/onnx/emitter.ts'
import { compareGraphs, readModel } from './two-graphs.ts'

const [directory = 'models/digits/1', threads = '1', batches = '1,8,16,32', windows = '9', window = '1'] =
  process.argv.slice(2)
const model = readModel(directory)
await compareGraphs(
  model,
  { direct: buildOnnx(model.graph), winograd: buildOnnx(model.graph, { winograd: true }) },
  {
    threads: Number(threads),
    batches: batches.split(',').map(Number),
    windows: Number(windows),
    window: Number(window),
  },
)
