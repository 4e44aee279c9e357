import { firstLine } from '../run-command.ts'
import type { EngineReport } from './engines.ts'
import type { Doctor } from './examine.ts'
import type { Gpu } from './gpu.ts'
import type { Library } from './libraries.ts'
import type { Machine } from './machine.ts'
import type { Native } from './native.ts'

/** The report as text: narrow, without colours, fit to paste into an issue. */
export function formatReport({ version, machine, native, gpu, model, engines }: Doctor): string {
  return [
    `resnet-serve ${version}`,
    ...section('Machine', machineLines(machine)),
    ...section('TensorFlow', nativeLines(native)),
    ...section('GPU', gpuLines(gpu, native)),
    ...section(`Engines, with the model ${model.name}`, [
      ...(model.reference ? [] : ['(no self-test: the model has no reference.safetensors)']),
      ...engines.flatMap(engineLines),
    ]),
    '',
  ].join('\n')
}

function section(title: string, lines: string[]): string[] {
  return ['', title, ...lines.map((line) => `  ${line}`)]
}

function row(label: string, text: string): string {
  return `${label.padEnd(11)} ${text}`
}

function machineLines({ flags, cores, ...machine }: Machine): string[] {
  const glibc = machine.glibc === undefined ? '' : `, glibc ${machine.glibc}`
  return [
    row('node', `${machine.node}, ${machine.platform}${glibc}`),
    row('processor', `${machine.processor}, ${cores} ${cores === 1 ? 'core' : 'cores'}`),
    row('has', flags === undefined ? 'unknown' : flags.join(' ') || 'none of the instructions looked for'),
    row('memory', `${machine.memory_mb} MiB, ${machine.free_memory_mb} MiB free`),
  ]
}

function nativeLines({ addon, error, tfjs, tensorflow, cuda, devices }: Native): string[] {
  return [
    row('addon', addon === undefined ? 'none' : `${addon}${tfjs ? `, ${tfjs}` : ''}`),
    ...(tensorflow ? [row('library', `libtensorflow ${tensorflow}, ${cuda ? 'with' : 'without'} CUDA`)] : []),
    ...(devices ? [row('computes on', devices.join(', '))] : []),
    ...(error ? [row('error', firstLine(error))] : []),
  ]
}

function gpuLines({ devices, kernel, libraries, reasons }: Gpu, native: Native): string[] {
  return [
    ...(devices ?? []).map(({ index, name, driver, memory_total_mb, memory_used_mb }) =>
      row(`GPU ${index}`, `${name}, driver ${driver}, ${memory_used_mb ?? '?'} of ${memory_total_mb ?? '?'} MiB used`),
    ),
    ...(kernel ? [row('driver', `${kernel.driver}: ${kernel.models.join(', ') || 'no GPU'}`)] : []),
    ...(devices === undefined && kernel === undefined
      ? ['no NVIDIA driver: neither nvidia-smi nor /proc/driver/nvidia']
      : []),
    ...(native.gpu ? ['TensorFlow uses it'] : []),
    ...(libraries.length > 0 ? [row('libraries', libraryLine(libraries))] : []),
    ...reasons.map((reason) => row('not used', reason)),
  ]
}

function libraryLine(libraries: Library[]): string {
  const missing = libraries.filter((library) => library.missing !== undefined).map(({ name }) => name)
  const open = `${libraries.length - missing.length} of ${libraries.length} open`
  return missing.length === 0 ? open : `${open}; missing are ${missing.join(', ')}`
}

function engineLines({ engine, gpu, error, details, precision, self_test, bench }: EngineReport): string[] {
  const lines: string[] = []
  const label = gpu === undefined ? engine : `${engine} ${gpu}`
  if (details) {
    const { library, version, device, threads } = details
    const share = threads ? `, ${threads} ${threads === 1 ? 'thread' : 'threads'}` : ''
    lines.push(row(label, `${library} ${version}, ${device}${share}, ${precision ?? '?'}`))
  }
  if (self_test) {
    const difference = self_test.largest_relative_difference.toExponential(1)
    const cosine = self_test.embedding_cosine.toFixed(6)
    lines.push(row('', `largest relative difference ${difference}, least embedding cosine ${cosine}`))
  }
  if (bench) {
    const rates = Object.entries(bench).map(([size, rate]) => `${rate.toFixed(0)} at batch ${size}`)
    lines.push(row('', `images/s: ${rates.join(', ')}`))
  }
  if (error) lines.push(row(details ? '' : label, `does not work: ${firstLine(error)}`))
  return lines
}
