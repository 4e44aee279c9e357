import { BN_EPSILON } from '../resnet/layers.ts'
import type { Known } from './choices.ts'
import type { FoundResNet } from './find-resnet.ts'
import type { StoredModule } from './stored-tensor.ts'

const SOURCE = 'the module'

/**
 * What a whole module (`torch.save(model)`) tells beside its tensors, by torchvision's names. Throws a plain Error where it has a
 * layer that is not served.
 */
export function knownFromModules({ stateDict, prefix }: FoundResNet): Known {
  const known: Known = new Map()
  const modules = [...(stateDict.modules ?? [])].filter(([path]) => path.startsWith(prefix))
  const byName = new Map(modules.map(([path, module]) => [path.slice(prefix.length), module]))
  for (const [path, { class: name, attributes }] of modules) {
    const { eps } = attributes
    if (name.endsWith('.BatchNorm2d') && eps !== BN_EPSILON)
      throw new Error(`${path} has eps ${eps}; only ${BN_EPSILON} is served`)
  }
  const stride = strideOf(byName.get('conv1'))
  if (stride !== undefined) known.set('stem-stride', { value: String(stride), source: SOURCE })
  const pool = byName.get('maxpool')
  if (pool !== undefined) {
    known.set('max-pool', { value: pool.class.endsWith('.MaxPool2d') ? 'yes' : 'no', source: SOURCE })
  }
  const first = strideOf(byName.get('layer2.0.conv1'))
  if (first !== undefined) known.set('stride-on', { value: first === 2 ? '1x1' : '3x3', source: SOURCE })
  const activation = hiddenActivation(byName)
  if (activation !== undefined) known.set('hidden-activation', { value: activation, source: SOURCE })
  return known
}

function strideOf(module: StoredModule | undefined): number | undefined {
  const stride = module?.attributes.stride
  return Array.isArray(stride) ? stride[0] : typeof stride === 'number' ? stride : undefined
}

/** Layers of a classifier that change nothing when the model is asked. */
const NEUTRAL = /\.(Linear|Dropout|Identity|Flatten|Sequential)$/

function hiddenActivation(modules: Map<string, StoredModule>): string | undefined {
  const layers = [...modules].filter(([path]) => /^(fc|classifier|head)\./.test(path))
  if (layers.length === 0) return undefined
  const others = layers.filter(([, { class: name }]) => !NEUTRAL.test(name))
  const odd = others.find(([, { class: name }]) => !name.endsWith('.ReLU'))
  if (odd !== undefined)
    throw new Error(`${odd[0]} is a ${odd[1].class}: only linear layers, ReLU and dropout are served there`)
  return others.length > 0 ? 'relu' : 'none'
}
