import { AUTO_ORDER, type Engine, type EngineName, type EngineOptions, type OpenEngine } from './engine.ts'

/** Imported on demand, since each module loads a native or wasm library. */
const OPENERS: Record<EngineName, () => Promise<OpenEngine>> = {
  cuda: async () => (await import('./tensorflow/tensorflow.ts')).openCuda,
  tensorflow: async () => (await import('./tensorflow/tensorflow.ts')).openTensorflow,
  onnx: async () => (await import('./onnx/onnx.ts')).openOnnx,
  wasm: async () => (await import('./wasm/wasm.ts')).openWasm,
}

interface OpenedEngine {
  engine: Engine
  /** Engines that `auto` would have preferred, and why each cannot run here. */
  passedOver: { engine: EngineName; reason: string }[]
}

/**
 * Opens the engine named, or with `auto` the first that works. Throws when none does: an engine asked for by name is never
 * replaced by another.
 */
export async function openEngine(
  choice: EngineName | 'auto',
  options: EngineOptions,
  openers: Record<EngineName, () => Promise<OpenEngine>> = OPENERS,
): Promise<OpenedEngine> {
  const passedOver: OpenedEngine['passedOver'] = []
  for (const name of choice === 'auto' ? AUTO_ORDER : [choice]) {
    try {
      const open = await openers[name]()
      return { engine: await open(options), passedOver }
    } catch (error) {
      passedOver.push({ engine: name, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const reasons = passedOver.map(({ engine, reason }) => `${engine}: ${reason}`).join('; ')
  throw new Error(
    choice === 'auto' ? `no engine runs here: ${reasons}` : `ENGINE=${choice} cannot run here: ${reasons}`,
  )
}
