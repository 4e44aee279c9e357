/** Why TensorFlow could not be installed; the message is for the user. */
export class InstallError extends Error {
  override readonly name = 'InstallError'
}
