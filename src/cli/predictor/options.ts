import { type Command, Option } from 'commander'

/** The options of every command that asks a model, which `openPredictor` takes. */
export function addModelOptions(command: Command): Command {
  return command
    .option('--model <name>', 'name of the model (default: the default model)')
    .option('--version <version>', 'version of the model (default: the highest)')
    .addOption(
      new Option('--repository <dir>', 'model repository to read (default: MODEL_REPOSITORY)').conflicts('url'),
    )
    .option('--url <url>', 'ask a running server instead of computing here')
    .addOption(new Option('--api-key <key>', 'key for the server').env('RESNET_SERVE_API_KEY'))
}
