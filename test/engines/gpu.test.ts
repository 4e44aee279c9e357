import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseGpuFacts, readGpuFacts } from '../../src/engines/gpu.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

afterEach(() => vi.unstubAllEnvs())

/** A PATH with nothing but this shell script as nvidia-smi. */
function fakeNvidiaSmi(script: string): void {
  const bin = temporaryFolder()
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, 'nvidia-smi'), 0o755)
  vi.stubEnv('PATH', bin)
}

const TWO_GPUS = `0, NVIDIA A10G, 550.127.05, 23028, 4
1, NVIDIA A10G, 550.127.05, 23028, 812
`

describe('readGpuFacts', () => {
  it('tells name, driver and memory of every GPU', async () => {
    fakeNvidiaSmi(`echo '${TWO_GPUS}'`)
    expect(await readGpuFacts(process.env)).toEqual([
      {
        index: 0,
        name: 'NVIDIA A10G',
        driver: '550.127.05',
        memory_total_mb: 23028,
        memory_used_mb: 4,
      },
      expect.objectContaining({ index: 1, memory_used_mb: 812 }),
    ])
  })

  it('asks for exactly the fields that it reads, without units', async () => {
    fakeNvidiaSmi('echo "$@" >&2; [ "$1" = --query-gpu=index,name,driver_version,memory.total,memory.used ] || exit 2')
    expect(await readGpuFacts(process.env)).toEqual([])
  })

  it('is undefined where there is no nvidia-smi', async () => {
    vi.stubEnv('PATH', temporaryFolder())
    expect(await readGpuFacts(process.env)).toBeUndefined()
  })

  it('is undefined where nvidia-smi cannot reach the driver', async () => {
    fakeNvidiaSmi('echo "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver."; exit 9')
    expect(await readGpuFacts(process.env)).toBeUndefined()
  })
})

describe('parseGpuFacts', () => {
  it('knows figures that the driver does not tell from zero', () => {
    const [gpu] = parseGpuFacts('0, NVIDIA H100 80GB HBM3 MIG 1g.10gb, 570.86.15, [N/A], [Insufficient Permissions]\n')
    expect(gpu).toMatchObject({ memory_total_mb: undefined, memory_used_mb: undefined })
  })

  it('finds no GPU in other words', () => {
    expect(parseGpuFacts('No devices were found\n')).toEqual([])
    expect(parseGpuFacts('')).toEqual([])
  })
})
