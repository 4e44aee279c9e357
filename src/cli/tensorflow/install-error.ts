/** Why TensorFlow could not be installed, in words for the person at the terminal. */
export class InstallError extends Error {
  override readonly name = 'InstallError'
}
