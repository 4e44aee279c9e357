import { type LocatedResNet, locateResNets } from './canonical-names.ts'
import { otherFamily, signatureOf } from './not-plain.ts'
import type { StoredStateDict } from './stored-tensor.ts'

/** A ResNet in a file. */
export interface FoundResNet extends LocatedResNet {
  stateDict: StoredStateDict
  /** Where it lies in the file, as `--prefix` takes it: `state_dict.backbone.`, or empty. */
  path: string
}

export interface Wanted {
  /** The path, or the end of it that begins in the state_dict; undefined takes the only one. */
  prefix?: string | undefined
  /** Take averaged weights (an exponential moving average), which are passed over otherwise. */
  ema?: boolean | undefined
}

const AVERAGED = /(^|[._])ema([._]|$)|averaged/i

/**
 * The one ResNet in a file's state_dicts. Throws a plain Error where there is none, or more than one to choose from, with what
 * would help.
 */
export function findResNet(stateDicts: StoredStateDict[], { prefix, ema = false }: Wanted = {}): FoundResNet {
  const all = stateDicts.flatMap((stateDict) =>
    locateResNets(stateDict.tensors).map((located): FoundResNet => {
      const at = stateDict.at === '' ? '' : `${stateDict.at}.`
      return { ...located, stateDict, path: at + located.prefix }
    }),
  )
  if (all.length === 0) throw noResNet(stateDicts)
  const found = choose(all, prefix, ema)
  assertPlain(found, prefix)
  return found
}

function choose(all: FoundResNet[], prefix: string | undefined, ema: boolean): FoundResNet {
  const list = (some: FoundResNet[]): string => some.map(({ path }) => JSON.stringify(path)).join(', ')
  if (prefix !== undefined) {
    const wanted = prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`
    const [first, second] = all.filter((each) => each.path === wanted || each.prefix === wanted)
    if (first !== undefined && second === undefined) return first
    throw new Error(
      `--prefix ${JSON.stringify(prefix)} names ${first ? 'several' : 'no'} ResNet; there is one under ${list(all)}`,
    )
  }
  const averaged = all.filter(({ path }) => AVERAGED.test(path))
  const plain = all.filter((each) => !averaged.includes(each))
  if (ema && averaged.length === 0) throw new Error(`--ema: no averaged weights; there are weights under ${list(all)}`)
  // A file that has averaged weights alone leaves no choice.
  const candidates = ema || plain.length === 0 ? averaged : plain
  const [first, second] = candidates
  if (first !== undefined && second === undefined) return first
  throw new Error(`there are ${candidates.length} ResNets in it; choose one by --prefix: ${list(candidates)}`)
}

/** What tells another network than a plain ResNet, although a ResNet's tensors are there. */
function assertPlain({ stateDict, prefix, rest }: FoundResNet, wanted: string | undefined): void {
  for (const name of stateDict.tensors.keys()) {
    if (name.startsWith(prefix)) assertNoSignature(name)
  }
  for (const [name, reason] of stateDict.unreadable) {
    if (name.startsWith(prefix) && /(weight|bias|running_mean|running_var)$/.test(name))
      throw new Error(`${name} ${reason}`)
  }
  const family = wanted === undefined ? otherFamily(rest) : undefined
  if (family !== undefined) {
    throw new Error(`this is ${family} with a ResNet in it; --prefix ${JSON.stringify(prefix)} takes the ResNet alone`)
  }
}

function assertNoSignature(name: string): void {
  const what = signatureOf(name)
  if (what !== undefined) throw new Error(`${name}: ${what}, which is not served`)
}

function noResNet(stateDicts: StoredStateDict[]): Error {
  const names = stateDicts.flatMap(({ tensors }) => [...tensors.keys()])
  const [first] = names
  if (first === undefined) return new Error('it holds no tensors under names')
  for (const name of names) assertNoSignature(name)
  const family = otherFamily(names)
  if (family !== undefined) return new Error(`this is ${family}, not a ResNet: ${first}`)
  const expected = 'conv1.weight, embedder.embedder.convolution.weight or stem.conv.weight'
  return new Error(
    `no tensor is called ${expected}, as in the ResNets of torchvision, transformers and timm; the first is ${first}`,
  )
}
