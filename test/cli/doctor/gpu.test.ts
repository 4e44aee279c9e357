import { afterEach, describe, expect, it, vi } from 'vitest'
import { complaintsIn, examineGpu, type Gpu, readKernelDriver, whyNoGpu } from '../../../src/cli/doctor/gpu.ts'
import { checkLibraries, librariesOf } from '../../../src/cli/doctor/libraries.ts'
import { relevantFlags } from '../../../src/cli/doctor/machine.ts'
import type { Native } from '../../../src/cli/doctor/native.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

afterEach(() => vi.unstubAllEnvs())

const H200 = {
  index: 0,
  name: 'NVIDIA H200',
  driver: '570.86.15',
  memory_total_mb: 1,
  memory_used_mb: 0,
}
const cudaBuild: Native = { addon: '/a', tfjs: '4.22.0', tensorflow: '2.21.0', cuda: true, gpu: false, log: '' }
const seen: Omit<Gpu, 'reasons'> = { devices: [H200], kernel: undefined, libraries: [] }
const notFound = (name: string) => `${name}: cannot open shared object file: No such file or directory`

describe('whyNoGpu', () => {
  it('has nothing to say where TensorFlow uses the GPU, or no GPU is to be seen', () => {
    expect(whyNoGpu({ ...cudaBuild, gpu: true }, seen, undefined)).toEqual([])
    expect(whyNoGpu(cudaBuild, { ...seen, devices: undefined }, undefined)).toEqual([])
    expect(whyNoGpu(cudaBuild, { ...seen, devices: [] }, undefined)).toEqual([])
  })

  it('names a missing library, and where it comes from', () => {
    const libraries = [
      { name: 'libcuda.so.1', missing: undefined },
      { name: 'libnvidia-ml.so.1', missing: notFound('libnvidia-ml.so.1') },
      { name: 'libcudnn.so.9', missing: notFound('libcudnn.so.9') },
    ]
    const reasons = whyNoGpu(cudaBuild, { ...seen, libraries }, undefined)
    expect(reasons).toHaveLength(2)
    expect(reasons[0]).toMatch(/^libnvidia-ml\.so\.1: .*NVIDIA_DRIVER_CAPABILITIES/)
    expect(reasons[1]).toMatch(/^libcudnn\.so\.9: .*install-tensorflow --gpu/)
  })

  it('knows a build without CUDA, an addon that is missing or crashes, and a hidden GPU', () => {
    expect(whyNoGpu({ ...cudaBuild, cuda: false }, seen, undefined)[0]).toMatch(/without CUDA: .*--gpu/)
    expect(whyNoGpu({ addon: undefined, error: 'nothing is installed' }, seen, undefined)).toEqual([
      'nothing is installed',
    ])
    const crashed = { addon: '/a', cuda: true, error: 'the addon crashed with SIGABRT\nlog', log: '' }
    expect(whyNoGpu(crashed, seen, undefined)).toContain('the addon crashed with SIGABRT')
    expect(whyNoGpu(cudaBuild, seen, '-1')[0]).toMatch(/CUDA_VISIBLE_DEVICES is "-1"/)
    expect(whyNoGpu(cudaBuild, seen, '')[0]).toMatch(/hides every GPU/)
  })

  it('passes on what TensorFlow says beyond that, and admits to know nothing else', () => {
    const log = 'I0000 00:00:1795489638.6 18954 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_NO_DEVICE\n'
    expect(whyNoGpu({ ...cudaBuild, log }, seen, '0')).toEqual(['failed call to cuInit: CUDA_ERROR_NO_DEVICE'])
    expect(whyNoGpu(cudaBuild, seen, undefined)[0]).toMatch(/does not say/)
  })

  it('sees a GPU by the kernel’s driver alone', () => {
    const kernel = { driver: '570.86.15', models: ['NVIDIA H200'] }
    expect(whyNoGpu({ ...cudaBuild, cuda: false }, { ...seen, devices: undefined, kernel }, undefined)).toHaveLength(1)
  })
})

describe('complaintsIn', () => {
  it('keeps failures with CUDA and drops everything else that TensorFlow logs', () => {
    const log = [
      "I0000 00:00:1.0 1 dso_loader.cc:144] Could not load dynamic library 'libcudnn.so.9'; dlerror: libcudnn.so.9: no",
      'I0000 00:00:1.0 1 dso_loader.cc:133] Successfully opened dynamic library libcudart.so.12',
      'I0000 00:00:1.0 1 port.cc:153] oneDNN custom operations are on.',
    ].join('\n')
    expect(complaintsIn(log)).toEqual(["Could not load dynamic library 'libcudnn.so.9'; dlerror: libcudnn.so.9: no"])
  })
})

describe('shared libraries', () => {
  it('are those of the version’s CUDA and cuDNN', () => {
    expect(librariesOf('2.21.0')).toEqual(expect.arrayContaining(['libcuda.so.1', 'libcublas.so.12', 'libcudnn.so.9']))
    expect(librariesOf('2.16.1')).toContain('libcudnn.so.8')
    expect(librariesOf('2.9.1')).toEqual(expect.arrayContaining(['libcublas.so.11', 'libcudnn.so.8']))
    expect(librariesOf(undefined)).toEqual(librariesOf('2.21.0'))
  })

  it('are opened as the loader finds them or from deps/nvidia, and what is missing is in the loader’s words', async () => {
    const deps = temporaryFolder({ 'nvidia/cudnn/lib/libcudnn.so.9': 'not a library' })
    const [libc, missing, broken] = await checkLibraries(['libc.so.6', 'libnowhere.so.9', 'libcudnn.so.9'], deps)
    expect(libc).toEqual({ name: 'libc.so.6', missing: undefined })
    expect(missing?.missing).toMatch(/^libnowhere\.so\.9: cannot open shared object file/)
    expect(broken?.missing).toMatch(/cudnn\/lib\/libcudnn\.so\.9: /)
  })
})

describe('examineGpu', () => {
  it('finds nothing on a machine without nvidia-smi, and looks for no libraries of a build without CUDA', async () => {
    vi.stubEnv('PATH', temporaryFolder())
    const gpu = await examineGpu({ ...cudaBuild, cuda: false }, undefined)
    expect(gpu.devices).toBeUndefined()
    expect(gpu.libraries).toEqual([])
  })
})

describe('readKernelDriver', () => {
  it('reads version and models as the driver writes them', () => {
    const proc = temporaryFolder({
      version: 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version: 12\n',
      'gpus/0000:19:00.0/information': 'Model: \t\t NVIDIA H200\nIRQ:   \t\t 0\n',
    })
    expect(readKernelDriver(proc)).toEqual({ driver: '570.86.15', models: ['NVIDIA H200'] })
    const older = temporaryFolder({
      version: 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n',
      'gpus/a/information': '',
    })
    expect(readKernelDriver(older)).toEqual({ driver: '535.183.01', models: ['a'] })
  })

  it('is undefined without a driver', () => {
    expect(readKernelDriver('/nowhere')).toBeUndefined()
  })
})

describe('relevantFlags', () => {
  it('keeps the instructions that matter, from x86 and arm64', () => {
    expect(relevantFlags('processor\t: 0\nflags\t\t: fpu avx avx2 avx512_vnni\n')).toEqual([
      'avx',
      'avx2',
      'avx512_vnni',
    ])
    expect(relevantFlags('processor\t: 0\nFeatures\t: fp asimd asimddp\n')).toEqual(['asimddp'])
  })

  it('knows nothing from no instructions', () => {
    expect(relevantFlags('processor\t: 0\n')).toEqual([])
    expect(relevantFlags('')).toBeUndefined()
  })
})
