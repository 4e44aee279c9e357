import { InstallError } from './install-error.ts'

/** The sha256 of each Python wheel, by file name. */
type Wheels = Record<string, string>

export const TENSORFLOW_VERSION = '2.21.0'

/**
 * CUDA 12.9 Update 1, and the last cuDNN that supports compute capability 7.0. Both are within the bounds of the extra
 * `and-cuda` of TensorFlow 2.21's wheel, and support 10.0 and 12.0 (docs/gpu.md).
 */
const CUDA_12_9: Wheels = {
  'nvidia_cublas_cu12-12.9.1.4-py3-none-manylinux_2_27_x86_64.whl':
    '453611eb21a7c1f2c2156ed9f3a45b691deda0440ec550860290dc901af5b4c2',
  'nvidia_cuda_cupti_cu12-12.9.79-py3-none-manylinux_2_25_x86_64.whl':
    '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
  'nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl':
    '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
  'nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl':
    '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
  'nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl':
    '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
  'nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl':
    '949452be657fa16687d0930933f032835951ef0892b37d2d53824d1a84dc97a8',
  'nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl':
    'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
  'nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl':
    '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
  'nvidia_cusolver_cu12-11.7.5.82-py3-none-manylinux_2_27_x86_64.whl':
    '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
  'nvidia_cusparse_cu12-12.5.10.65-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl':
    '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
  'nvidia_nccl_cu12-2.27.7-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl':
    'de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa',
  'nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl':
    'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
}

/**
 * By Node's name of the architecture: TensorFlow's wheel first, then NVIDIA's libraries for GPUs. One Python tag is
 * enough: all wheels of a version hold the same library.
 */
export const WHEELS: Record<'cpu' | 'gpu', Record<string, Wheels>> = {
  cpu: {
    x64: {
      'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl':
        '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    },
    arm64: {
      'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_aarch64.whl':
        '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
    },
  },
  gpu: {
    x64: {
      'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl':
        '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      ...CUDA_12_9,
    },
  },
}

/** Throws an InstallError that lists the available wheels. */
export function findWheels(gpu: boolean, architecture: string, pinned = WHEELS): Wheels {
  const kind = gpu ? 'gpu' : 'cpu'
  const found = pinned[kind][architecture]
  if (found !== undefined) return found
  const available = Object.keys(pinned[kind]).join(', ')
  throw new InstallError(
    `TensorFlow ${TENSORFLOW_VERSION} for ${kind.toUpperCase()} has no wheel for ${architecture}, only for ${available}; ` +
      '--from dir takes a library that you have built',
  )
}
