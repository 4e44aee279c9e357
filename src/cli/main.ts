#!/usr/bin/env node
import { Command } from 'commander'
import { doctorCommand } from './doctor.ts'
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
  .addCommand(serve(), { isDefault: true })
  .addCommand(importCommand())
  .addCommand(inspect())
  .addCommand(installTensorflowCommand())
  .addCommand(doctorCommand())
  .addCommand(quantize())

program.parseAsync().catch((error: Error) => {
  // It may quote what a file holds, and a terminal acts on control characters.
  process.stderr.write(`${error.message.replace(/(?!\n)\p{Cc}/gu, '?')}\n`)
  process.exit(1)
})
