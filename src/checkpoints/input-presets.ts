import type { InputJson } from '../repository/input-spec.ts'

/** The mean and deviation of ImageNet's training pictures, which torchvision, timm and transformers normalise by. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
/** The same as one channel: timm's rule for pictures in grey is the mean over the channels. */
const IMAGENET_GREY = { mean: 0.449, std: 0.226 }
const CIFAR10 = { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] }
const MNIST = { mean: 0.1307, std: 0.3081 }

/** `input` of model.json for pictures as a training pipeline prepared them (docs/model.md). */
export interface Preset {
  input: InputJson
  /** Whose, for people. */
  source: string
}

/** Shortest edge 256, then the middle 224 x 224: `weights.transforms()` of torchvision's V1 weights. */
export function torchvisionPreset(inChannels: number): Preset {
  const isGrey = inChannels === 1
  return {
    source: "torchvision's defaults for ImageNet",
    input: {
      height: 224,
      width: 224,
      channels: isGrey ? 'grey' : 'rgb',
      ...(isGrey ? IMAGENET_GREY : IMAGENET),
      resize: 256,
      interpolation: 'bilinear',
      crop: 'center',
    },
  }
}

/** `timm.data.create_transform` without a config.json: as torchvision's, with bicubic interpolation. */
export function timmPreset(inChannels: number): Preset {
  const { input } = torchvisionPreset(inChannels)
  return { source: "timm's defaults", input: { ...input, interpolation: 'bicubic' } }
}

/** What the published ResNets of transformers have in their preprocessor_config.json. */
export function transformersPreset(): Preset {
  const { input } = timmPreset(3)
  return { source: "transformers' ResNets", input: { ...input, crop: 'center-floor' } }
}

/** For a stem without a stride, which is made for small pictures. */
export function smallPreset(inChannels: number): Preset {
  return inChannels === 1
    ? {
        source: "MNIST's size and normalisation",
        input: { height: 28, width: 28, channels: 'grey', ...MNIST, resize: [28, 28], interpolation: 'bilinear' },
      }
    : {
        source: "CIFAR-10's size and normalisation",
        input: { height: 32, width: 32, channels: 'rgb', ...CIFAR10, resize: [32, 32], interpolation: 'bilinear' },
      }
}

/** The same preparation for another size: what is cropped keeps its share of the picture. */
export function withSize(input: InputJson, [height, width]: [number, number]): InputJson {
  if (height === input.height && width === input.width) return input
  // `fit` needs no other size than the input's.
  if (input.resize === undefined) return { ...input, height, width }
  const { crop, ...rest } = input
  if (crop !== undefined && typeof input.resize === 'number' && height === width) {
    return { ...input, height, width, resize: Math.floor((height * input.resize) / input.height) }
  }
  return { ...rest, height, width, resize: [height, width] }
}
