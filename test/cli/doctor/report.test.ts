import { describe, expect, it } from 'vitest'
import type { Doctor } from '../../../src/cli/doctor/examine.ts'
import { formatReport } from '../../../src/cli/doctor/report.ts'

const doctor: Doctor = {
  version: '1.2.3',
  machine: {
    node: 'v22.0.0',
    platform: 'linux-x64',
    glibc: '2.36',
    processor: 'A Processor',
    cores: 1,
    flags: ['avx2', 'avx512_vnni'],
    memory_mb: 2048,
    free_memory_mb: 1024,
  },
  native: { addon: undefined, error: 'nothing is installed\nand more' },
  gpu: { devices: undefined, kernel: undefined, libraries: [], reasons: [] },
  model: { name: 'digits/1', reference: false },
  engines: [
    { engine: 'cuda', works: false, error: 'no GPU\nand a log' },
    {
      engine: 'onnx',
      works: true,
      details: { library: 'onnxruntime-node', version: '1.30.0', device: 'cpu', threads: 1 },
      precision: 'fp32',
      self_test: { largest_relative_difference: 1.26e-6, embedding_cosine: 0.99999999 },
      bench: { '1': 200.4, '8': 230, '32': 240 },
    },
  ],
}

describe('formatReport', () => {
  it('reads as text: what the machine is, and what each engine does on it', () => {
    expect(formatReport(doctor)).toBe(`resnet-serve 1.2.3

Machine
  node        v22.0.0, linux-x64, glibc 2.36
  processor   A Processor, 1 core
  has         avx2 avx512_vnni
  memory      2048 MiB, 1024 MiB free

TensorFlow
  addon       none
  error       nothing is installed

GPU
  no NVIDIA driver: neither nvidia-smi nor /proc/driver/nvidia

Engines, with the model digits/1
  (no self-test: the model has no reference.safetensors)
  cuda        does not work: no GPU
  onnx        onnxruntime-node 1.30.0, cpu, 1 thread, fp32
              largest relative difference 1.3e-6, least embedding cosine 1.000000
              images/s: 200 at batch 1, 230 at batch 8, 240 at batch 32
`)
  })

  it('has a line for each GPU that an engine was tried on', () => {
    const [cuda] = doctor.engines
    if (cuda === undefined) throw new Error('no cuda')
    const text = formatReport({ ...doctor, engines: ['0', '1'].map((gpu) => ({ ...cuda, gpu })) })
    expect(text).toContain('  cuda 0      does not work: no GPU\n  cuda 1      does not work: no GPU\n')
  })

  it('tells of a GPU that TensorFlow does not use, and why', () => {
    const text = formatReport({
      ...doctor,
      native: { addon: '/a', tfjs: '4.22.0', tensorflow: '2.21.0', cuda: true, gpu: false, devices: ['CPU'] },
      gpu: {
        devices: [
          {
            index: 0,
            name: 'NVIDIA H200',
            driver: '570.86.15',
            memory_total_mb: 143771,
            memory_used_mb: undefined,
          },
        ],
        kernel: { driver: '570.86.15', models: ['NVIDIA H200'] },
        libraries: [
          { name: 'libcuda.so.1', missing: undefined },
          { name: 'libcudnn.so.9', missing: 'libcudnn.so.9: cannot open shared object file' },
        ],
        reasons: ['libcudnn.so.9: cannot open shared object file'],
      },
    })
    expect(text).toContain('  library     libtensorflow 2.21.0, with CUDA\n  computes on CPU\n')
    expect(text).toContain('  GPU 0       NVIDIA H200, driver 570.86.15, ? of 143771 MiB used\n')
    expect(text).toContain('  libraries   1 of 2 open; missing are libcudnn.so.9\n')
    expect(text).toContain('  not used    libcudnn.so.9: cannot open shared object file\n')
  })
})
