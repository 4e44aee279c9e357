#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { classifyCommand } from './classify.ts'
import { CommandError, EXIT } from './command-error.ts'
import { doctorCommand } from './doctor.ts'
import { embedCommand } from './embed.ts'
import { importCommand } from './import.ts'
import { inspect } from './inspect.ts'
import { installTensorflowCommand } from './install-tensorflow.ts'
import { quantize } from './quantize.ts'
import { serve } from './serve.ts'

/**
 * `resnet-serve <command>`: one file per command exports its commander Command. A command imports its libraries when it
 * runs, so that none waits for another's.
 */
const program = new Command('resnet-serve')
  .description('HTTP embedding and inference server for ResNets trained in PyTorch')
  .addHelpText(
    'after',
    `
Examples:
  resnet-serve
  resnet-serve import resnet50.pth --name photos --labels labels.txt
  resnet-serve classify seven.png
  resnet-serve embed photos/ --out photos.parquet

Exit codes: 0 done, 1 an error, 2 wrong usage, 3 done but for some pictures`,
  )
  .addCommand(serve(), { isDefault: true })
  .addCommand(classifyCommand())
  .addCommand(embedCommand())
  .addCommand(importCommand())
  .addCommand(inspect())
  .addCommand(installTensorflowCommand())
  .addCommand(doctorCommand())
  .addCommand(quantize())

// commander then throws instead of ending with code 1.
for (const command of [program, ...program.commands]) command.exitOverride()

// Whoever reads the output has seen enough (`resnet-serve classify *.png | head -1`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

program.parseAsync().catch((error: Error) => {
  // commander has printed its own.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EXIT.usage)
  const { hint, exitCode } = error instanceof CommandError ? error : { exitCode: EXIT.failure }
  if (error.message !== '') print(error.message)
  if (hint !== undefined) print(`hint: ${hint}`)
  process.exit(exitCode)
})

/** It may quote what a file holds, and a terminal acts on control characters. */
function print(message: string): void {
  process.stderr.write(`${message.replace(/(?!\n)\p{Cc}/gu, '?')}\n`)
}
