import { MAX_NAME_LENGTH } from './pickle-limits.ts'
import { asDict, asSet, attributesOf, type PickleDict, PickleObject, type PickleValue } from './pickle-value.ts'
import type { StoredModule } from './stored-tensor.ts'

/** Of modules, parameters and buffers; a ResNet-152 has 1,500. Modules that hold each other would have no end of them. */
const MAX_ENTRIES = 20_000

/**
 * The attributes of an object that is a module of `torch.nn`, by what it holds: the class may be anybody's. A GraphModule of
 * torch.fx is the dict of its attributes, and code.
 */
export function moduleAttributes(value: PickleValue): PickleDict | undefined {
  const attributes = value instanceof PickleObject ? attributesOf(value) : asDict(value)
  return attributes?.has('_parameters') && attributes.has('_modules') ? attributes : undefined
}

/** What `module.state_dict()` would give, and what the modules are. Throws beyond the bound. */
export function flattenModule(module: PickleValue): {
  entries: [string, PickleValue][]
  modules: Map<string, StoredModule>
} {
  const entries: [string, PickleValue][] = []
  const modules = new Map<string, StoredModule>()
  const stored = new Map<PickleValue, StoredModule>()
  let seen = 0

  function* namesIn(dict: PickleValue | undefined, prefix: string): Generator<[string, string, PickleValue]> {
    for (const [name, value] of asDict(dict) ?? []) {
      if (++seen > MAX_ENTRIES) throw new Error(`its modules hold more than ${MAX_ENTRIES} tensors and modules`)
      // None is what `bias=False` leaves.
      if (typeof name !== 'string' || value === null) continue
      if (prefix.length + name.length > MAX_NAME_LENGTH) throw new Error('its modules nest too deep')
      yield [name, prefix + name, value]
    }
  }

  function visit(module: PickleValue, path: string): void {
    const attributes = moduleAttributes(module)
    if (attributes === undefined) return
    if (!stored.has(module)) stored.set(module, storedModule(module, attributes))
    modules.set(path, stored.get(module) as StoredModule)
    const prefix = path && `${path}.`
    const temporary = asSet(attributes.get('_non_persistent_buffers_set'))
    seen += temporary.size
    for (const [, full, value] of namesIn(attributes.get('_parameters'), prefix)) entries.push([full, value])
    for (const [name, full, value] of namesIn(attributes.get('_buffers'), prefix)) {
      if (!temporary.has(name)) entries.push([full, value])
    }
    for (const [, full, child] of namesIn(attributes.get('_modules'), prefix)) visit(child, full)
  }

  visit(module, '')
  return { entries, modules }
}

function storedModule(module: PickleValue, attributes: PickleDict): StoredModule {
  const isPublic = ([name, value]: [PickleValue, PickleValue]): boolean =>
    typeof name === 'string' && !name.startsWith('_') && isPlain(value)
  const name = module instanceof PickleObject ? module.class : 'torch.fx.graph_module.GraphModule'
  return { class: name, attributes: Object.fromEntries([...attributes].filter(isPublic)) }
}

/** Numbers, text and short lists of numbers: what a layer is made with. */
function isPlain(value: PickleValue): boolean {
  if (Array.isArray(value)) return value.length <= 8 && value.every((each) => typeof each === 'number')
  return value === null || ['boolean', 'number', 'string'].includes(typeof value)
}
