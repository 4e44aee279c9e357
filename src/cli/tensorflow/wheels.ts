import { InstallError } from './install-error.ts'

/** A Python wheel, by its name and the sha256 of the whole file. Name, version and tags are read from the name. */
export interface Wheel {
  file: string
  sha256: string
}

/** What a version of TensorFlow consists of: its own wheel first, then NVIDIA's libraries where it runs on a GPU. */
interface WheelSet {
  files: Wheel[]
  /** Free space that download and unpacked parts need together, rounded up. */
  bytes: number
}

const GIB = 2 ** 30

/** Beside the library, room for the npm packages and the build. */
const CPU_BYTES = 2.5 * GIB
const GPU_BYTES = 10 * GIB

export const DEFAULT_VERSION = '2.21.0'

/**
 * CUDA 12.9 Update 1 and the last cuDNN that still knows compute capability 7.0: within the bounds that the wheel of
 * TensorFlow 2.20 and 2.21 sets in its extra `and-cuda`, and new enough for 10.0 and 12.0 (docs/gpu.md).
 */
const CUDA_12_9: Wheel[] = [
  {
    file: 'nvidia_cublas_cu12-12.9.1.4-py3-none-manylinux_2_27_x86_64.whl',
    sha256: '453611eb21a7c1f2c2156ed9f3a45b691deda0440ec550860290dc901af5b4c2',
  },
  {
    file: 'nvidia_cuda_cupti_cu12-12.9.79-py3-none-manylinux_2_25_x86_64.whl',
    sha256: '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
  },
  {
    file: 'nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    sha256: '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
  },
  {
    file: 'nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    sha256: '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
  },
  {
    file: 'nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    sha256: '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
  },
  {
    file: 'nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl',
    sha256: '949452be657fa16687d0930933f032835951ef0892b37d2d53824d1a84dc97a8',
  },
  {
    file: 'nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    sha256: 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
  },
  {
    file: 'nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl',
    sha256: '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
  },
  {
    file: 'nvidia_cusolver_cu12-11.7.5.82-py3-none-manylinux_2_27_x86_64.whl',
    sha256: '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
  },
  {
    file: 'nvidia_cusparse_cu12-12.5.10.65-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    sha256: '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
  },
  {
    file: 'nvidia_nccl_cu12-2.27.7-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    sha256: 'de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa',
  },
  {
    file: 'nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    sha256: 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
  },
]

/**
 * By version, `cpu` or `gpu`, and Node's name of the architecture. One Python tag serves every Python: the library in
 * the wheels of one version is the same for all.
 */
export const WHEELS: Record<string, Record<'cpu' | 'gpu', Record<string, WheelSet>>> = {
  '2.21.0': {
    cpu: {
      x64: {
        files: [
          {
            file: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
            sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
          },
        ],
        bytes: CPU_BYTES,
      },
      arm64: {
        files: [
          {
            file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_aarch64.whl',
            sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
          },
        ],
        bytes: CPU_BYTES,
      },
    },
    gpu: {
      x64: {
        files: [
          {
            file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
            sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
          },
          ...CUDA_12_9,
        ],
        bytes: GPU_BYTES,
      },
    },
  },
  '2.20.0': {
    cpu: {
      x64: {
        files: [
          {
            file: 'tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
            sha256: 'cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780',
          },
        ],
        bytes: CPU_BYTES,
      },
    },
    gpu: {
      x64: {
        files: [
          {
            file: 'tensorflow-2.20.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
            sha256: '481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e',
          },
          ...CUDA_12_9,
        ],
        bytes: GPU_BYTES,
      },
    },
  },
}

/** Throws an InstallError that says what there is instead. */
export function findWheels(version: string, gpu: boolean, architecture: string, wheels = WHEELS): WheelSet {
  const ofVersion = wheels[version]
  if (ofVersion === undefined) {
    const known = Object.keys(wheels).join(', ')
    throw new InstallError(`no wheel of TensorFlow ${version} is pinned here; --version takes ${known}`)
  }
  const kind = gpu ? 'gpu' : 'cpu'
  const found = ofVersion[kind][architecture]
  if (found !== undefined) return found
  const available = Object.keys(ofVersion[kind]).join(', ')
  throw new InstallError(
    `TensorFlow ${version} for ${kind.toUpperCase()} has no wheel for ${architecture}, only for ${available}; ` +
      '--from dir takes a library that you have built',
  )
}
