import { describe, expect, it } from 'vitest'
import { gpusIn } from '../../../src/cli/tensorflow/verify.ts'
import { parseWheelName, placeOf } from '../../../src/cli/tensorflow/wheel.ts'
import { findWheels, WHEELS } from '../../../src/cli/tensorflow/wheels.ts'

const pins = Object.values(WHEELS)
  .flatMap((architectures) => Object.values(architectures))
  .flatMap((wheels) => Object.entries(wheels))

describe('pinned wheels', () => {
  it('have a name that pip understands and a sha256', () => {
    for (const [file, sha256] of pins) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/)
      const { requirement, platforms } = parseWheelName(file)
      expect(requirement).toMatch(/^[a-z0-9-]+==[0-9.]+$/)
      for (const platform of platforms) expect(platform).toMatch(/^manylinux\w+_(x86_64|aarch64)$/)
    }
  })

  it('exist with and without GPU, TensorFlow’s own first', () => {
    const names = (gpu: boolean) => Object.keys(findWheels(gpu, 'x64')).map((file) => file.split('-')[0])
    expect(names(false)).toEqual(['tensorflow_cpu'])
    expect(names(true)[0]).toBe('tensorflow')
    expect(names(true)).toEqual(expect.arrayContaining(['nvidia_cudnn_cu12', 'nvidia_cublas_cu12', 'nvidia_nccl_cu12']))
  })

  it('are told apart by what they are for', () => {
    expect(() => findWheels(true, 'arm64')).toThrow(/for GPU has no wheel for arm64, only for x64/)
  })
})

describe('placeOf', () => {
  it.each([
    ['tensorflow/libtensorflow_cc.so.2', 'lib/libtensorflow_cc.so.2'],
    ['tensorflow/libtensorflow_framework.so.2', 'lib/libtensorflow_framework.so.2'],
    ['tensorflow/include/tensorflow/c/eager/c_api.h', 'include/tensorflow/c/eager/c_api.h'],
    ['tensorflow/include/xla/tsl/c/tsl_status.h', 'include/xla/tsl/c/tsl_status.h'],
    // Where libtensorflow's RUNPATH looks: ../nvidia/<part>/lib beside deps/lib.
    ['nvidia/cudnn/lib/libcudnn.so.9', 'nvidia/cudnn/lib/libcudnn.so.9'],
    ['nvidia/cuda_nvcc/bin/ptxas', 'nvidia/cuda_nvcc/bin/ptxas'],
    ['nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc', 'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc'],
  ])('unpacks %s', (entry, place) => {
    expect(placeOf(entry)).toBe(place)
  })

  it.each([
    'tensorflow/include/Eigen/Core',
    'tensorflow/python/_pywrap_tfe.so',
    'nvidia/cudnn/include/cudnn.h',
    'nvidia/cuda_nvcc/bin/cicc',
    'tensorflow/libtensorflow_cc.so.2/../../../etc/passwd',
    'nvidia/../lib/libx.so',
  ])('leaves %s', (entry) => {
    expect(placeOf(entry)).toBeUndefined()
  })
})

describe('gpusIn', () => {
  it('reads the devices from what TensorFlow logs', () => {
    const log =
      'I0000 gpu_device.cc:2019] Created device /job:localhost/replica:0/task:0/device:GPU:0 with 138000 MB memory:  -> ' +
      'device: 0, name: NVIDIA H200, pci bus id: 0000:19:00.0, compute capability: 9.0'
    expect(gpusIn(log)).toEqual(['NVIDIA H200 (compute capability 9.0)'])
    expect(gpusIn('')).toEqual(['GPU'])
  })
})
