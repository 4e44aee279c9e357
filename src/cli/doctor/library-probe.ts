/**
 * Opens each shared library named as an argument, by path or as the loader finds it. Prints JSON: the loader's error by
 * argument, null if it opens. Runs in a process of its own, since libraries stay loaded and may crash.
 */
const complaints: Record<string, string | null> = {}

for (const name of process.argv.slice(2)) {
  try {
    process.dlopen({ exports: {} }, name)
    complaints[name] = null
  } catch (error) {
    const { message } = error as Error
    // The library is open; Node only misses the entry point of an addon.
    complaints[name] = /did not self-register/.test(message) ? null : message
  }
}

process.stdout.write(`${JSON.stringify(complaints)}\n`)
