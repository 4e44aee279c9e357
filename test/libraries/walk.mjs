// Runs a page of documentation: its `python` and `sh` blocks in their order, in the folder that is the working directory. A block
// after `<!-- not run: why -->` is passed over. The block that starts the server goes on while the rest is run.
//
//   node walk.mjs <page.md> <python> <port>
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const [page, python, port] = process.argv.slice(2)
const BLOCK = /(<!-- not run:[^\n]*-->\n)?```(python|sh)\n([\s\S]*?)```/g
const blocks = [...readFileSync(page, 'utf8').matchAll(BLOCK)].flatMap(([, notRun, language, code]) =>
  notRun ? [] : [{ language, code: code.replaceAll('8080', port) }],
)
const env = { ...process.env, PORT: port }
let session = ''
let server

function run(command, args, code) {
  const { status } = spawnSync(command, args, { env, stdio: 'inherit' })
  if (status !== 0) {
    server?.kill()
    console.error(`failed (${status}):\n${code}`)
    process.exit(1)
  }
}

for (const { language, code } of blocks) {
  if (language === 'python') {
    // One session: a block uses what those before it made.
    session += code
    writeFileSync('session.py', session)
    run(python, ['session.py'], code)
  } else if (code.includes('npm start')) {
    server = spawn('bash', ['-c', `exec env ${code}`], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const ready = `http://127.0.0.1:${port}/readyz`
    run('curl', ['-sf', '-o', '/dev/null', '--retry', '60', '--retry-delay', '1', '--retry-all-errors', ready], code)
  } else run('bash', ['-euc', code.replaceAll('curl ', 'curl -sSf -o answer.json ')], code)
}
server?.kill()
console.log(`${page}: ${blocks.length} blocks ran`)
process.exit(0)
