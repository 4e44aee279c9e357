import { InvalidArgumentError } from 'commander'

/** Of an option that counts something. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 is needed.')
  return Number(text)
}
