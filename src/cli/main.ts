#!/usr/bin/env node
import { Command } from 'commander'
import { quantize } from './quantize.ts'
import { serve } from './serve.ts'

/** `resnet-serve <command>`: one file per command, each exporting its commander Command. */
const program = new Command('resnet-serve')
  .description('HTTP embedding and inference server for ResNets trained in PyTorch')
  .addCommand(serve(), { isDefault: true })
  .addCommand(quantize())

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
