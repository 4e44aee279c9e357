/**
 * A process of its own, since libraries stay loaded and may crash: opens each shared library named as an argument, by
 * path or as the loader finds it, and prints the loader's complaints as JSON, by argument; null where it opens.
 */
const complaints: Record<string, string | null> = {}

for (const name of process.argv.slice(2)) {
  try {
    process.dlopen({ exports: {} }, name)
    complaints[name] = null
  } catch (error) {
    const { message } = error as Error
    // Node asks every library for an addon's entry point, which these do not have: by then they are open.
    complaints[name] = /did not self-register/.test(message) ? null : message
  }
}

process.stdout.write(`${JSON.stringify(complaints)}\n`)
