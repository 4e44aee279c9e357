/** To stderr: stdout is for the report alone. */
export function progress(step: string): void {
  process.stderr.write(`bench: ${step}\n`)
}
