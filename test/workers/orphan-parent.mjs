// Starts an engine process (the module named on the command line) as the server does, and says its id. The engine
// process inherits stdout, so whoever reads that sees its end when both are gone.
import { fork } from 'node:child_process'

const child = fork(process.argv[2], { serialization: 'advanced' })
child.once('message', () => console.log('ready'))
