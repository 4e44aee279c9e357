/** Networks that look like a ResNet and are none that the graph builder knows, by a name that only they have. */
const SIGNATURES: [pattern: RegExp, what: string][] = [
  [/\.se\.(fc\d|conv_reduce|conv_expand)\./, 'squeeze-and-excitation blocks (SE-ResNet)'],
  [/\.se(_module)?\.conv\./, 'efficient channel attention (ECA-ResNet)'],
  [/\.se(_module)?\./, 'squeeze-and-excitation blocks (SE-ResNet)'],
  [/\.conv2\.(radix|fc1|fc2|bn0|bn1|conv)\./, 'split attention (ResNeSt, SKNet)'],
  [/\.conv\d\.(paths|attn)\./, 'selective kernels (SKNet)'],
  [/\.convs\.\d+\./, 'multi-scale blocks (Res2Net)'],
  [/\.conv\d\.gain$|\.skipinit_gain$/, 'normaliser-free blocks (NFNet)'],
  [/attnpool\./, 'attention pooling (the ResNet of CLIP)'],
  [/\.aa\.|\.blur\.|\.filt$/, 'anti-aliased strides (BlurPool)'],
  [/^(stem|body)\.conv1\.conv\.weight$/, 'blocks of another kind (ByobNet, TResNet, CSPNet)'],
  [/parametrizations\./, 'parametrised weights: call torch.nn.utils.parametrize.remove_parametrizations before saving'],
  [/\.weight_[gv]$/, 'weight norm: call torch.nn.utils.remove_weight_norm before saving'],
  [/\.lora_[AB]\./, 'adapters (LoRA): merge them before saving'],
]

/** What the name shows, for a tensor that has no place in a plain ResNet. */
export function signatureOf(name: string): string | undefined {
  return SIGNATURES.find(([pattern]) => pattern.test(name))?.[1]
}

/** Models by the name that a library's config.json gives: their tensors are named as a plain ResNet's, their layers differ. */
const BY_CONFIG: [pattern: RegExp, what: string][] = [
  [/^resnext/, 'grouped convolutions (ResNeXt)'],
  [/^resnet(aa|blur)|^seresnetaa/, 'anti-aliased strides'],
  [/^(eca|se|sk|gc|legacy_se)_?res?net/, 'channel attention'],
  [/^resnetrs/, 'ResNet-RS (squeeze-and-excitation)'],
  [/_bit$|_bitm$/, 'weight-standardised convolutions with GroupNorm (BiT)'],
  [/_(gn|evos|frn)$/, 'another normalisation than batch norm'],
  [/_clip(_gap)?$/, 'the ResNet of CLIP'],
  [/^nf_/, 'normaliser-free blocks'],
  [/(51|61)q$|(32|33)ts$/, 'another activation or another stem than ResNets have'],
]

/** Why the model that config.json names is no plain ResNet. */
export function refusedByName(architecture: string): string | undefined {
  return BY_CONFIG.find(([pattern]) => pattern.test(architecture))?.[1]
}

/** Families of other networks by the names of their tensors. */
const OTHERS: [pattern: RegExp, what: string][] = [
  [
    /blocks\.\d+\.attn\.qkv|encoder\.layers?\.\d+\.(self_)?attention|attn\.in_proj_weight/,
    'a transformer (ViT, DeiT, Swin)',
  ],
  [/features\.denseblock/, 'a DenseNet'],
  [/blocks\.\d+\.\d+\.(conv_pw|conv_dw|bn3)|features\.\d+\.\d+\.block\./, 'an EfficientNet or MobileNet'],
  [/^(module\.|model\.)?features\.\d+\.(weight|bias)$/, 'a VGG or AlexNet'],
  [/stages\.\d+\.blocks\.\d+\.(conv_dw|gamma|mlp)/, 'a ConvNeXt'],
  [/mixed_\d|Mixed_\d/, 'an Inception'],
  [/(^|\.)lora_[AB]\./, 'adapters without their model (LoRA)'],
]

/** What a state_dict without a ResNet looks like. */
export function otherFamily(names: Iterable<string>): string | undefined {
  for (const name of names) {
    const family = OTHERS.find(([pattern]) => pattern.test(name))
    if (family) return family[1]
  }
  return undefined
}
