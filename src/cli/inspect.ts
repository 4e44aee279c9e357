import { basename, resolve } from 'node:path'
import { Command } from 'commander'
import { printable } from '../checkpoints/pickle-value.ts'
import type { StoredStateDict } from '../checkpoints/stored-tensor.ts'

interface Options {
  prefix?: string
  ema: boolean
  json: boolean
}

/** `resnet-serve inspect <file or folder>`: what a checkpoint holds, and what `import` would make of it. Writes nothing. */
export function inspect(): Command {
  return new Command('inspect')
    .description('say what a checkpoint holds, and what import would make of it')
    .argument('<file or folder>', 'a .pt, .pth, .ckpt, .bin or .safetensors, or a folder of transformers or timm')
    .option('--prefix <prefix>', 'where the ResNet lies, if there are several')
    .option('--ema', 'look at averaged weights', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  resnet-serve inspect resnet50.pth
  resnet-serve inspect runs/last.ckpt --ema --json`,
    )
    .action(run)
}

async function run(path: string, { json, ...wanted }: Options): Promise<void> {
  const { openCheckpoint } = await import('../checkpoints/open-checkpoint.ts')
  const { planImport } = await import('../checkpoints/plan-import.ts')
  const { sketchGraph } = await import('../checkpoints/sketch-graph.ts')
  const { importReport } = await import('./import/report.ts')
  const checkpoint = await openCheckpoint(path)
  try {
    const facts = {
      file: basename(resolve(path)),
      format: checkpoint.format,
      bytes: checkpoint.bytes,
      alsoThere: checkpoint.leftOver,
      written: undefined,
    }
    const recognize = (): { text: string; json: object } => {
      try {
        const plan = planImport(checkpoint, { ...wanted, choices: {} })
        return importReport({ ...facts, plan, graph: sketchGraph(plan) })
      } catch (error) {
        const { message } = error as Error
        const { file, format, bytes } = facts
        return {
          text: `${file}: ${format}, ${(bytes / 1e6).toFixed(1)} MB\nit cannot be imported: ${printable(message, message.length)}\n`,
          json: { file, format, bytes, left_over: facts.alsoThere, error: message },
        }
      }
    }
    const report = recognize()
    const stateDicts = checkpoint.stateDicts.map(describe)
    process.stdout.write(
      json
        ? `${JSON.stringify({ ...report.json, state_dicts: stateDicts }, null, 2)}\n`
        : `${report.text}\n${stateDicts.map(listed).join('\n')}`,
    )
  } finally {
    checkpoint.close()
  }
}

function describe({ at, tensors, unreadable }: StoredStateDict) {
  return {
    at,
    tensors: [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    unreadable: Object.fromEntries(unreadable),
  }
}

function listed({ at, tensors, unreadable }: ReturnType<typeof describe>): string {
  const width = Math.max(0, ...tensors.map(({ name }) => name.length))
  const lines = [
    `${at === '' ? 'tensors' : `tensors of ${printable(at)}`}: ${tensors.length}`,
    ...tensors.map(
      ({ name, dtype, shape }) => `  ${printable(name).padEnd(width)}  ${dtype.padEnd(8)}  [${shape.join(', ')}]`,
    ),
    ...Object.entries(unreadable).map(([name, reason]) => `  ${printable(name).padEnd(width)}  ${reason}`),
  ]
  return `${lines.join('\n')}\n`
}
