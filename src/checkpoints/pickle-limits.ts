/*
 * The bounds of a pickle. What a ResNet-152 and its optimizer leave in a checkpoint has 100 KB, 50,000 opcodes and 15,000
 * objects. Strings and integers take no more memory than the bytes that they are read from, twice over.
 */

/** Bounds strings and byte arrays. */
export const MAX_PICKLE_BYTES = 2 ** 26
/** Bounds the time, to about a second, and what lists and dicts grow to: an entry takes an opcode. */
export const MAX_OPCODES = 5_000_000
/** An empty dict is one byte of a pickle, and 300 in memory once it was looked through. */
export const MAX_OBJECTS = 200_000
/** Of the stack, and of the memo: an entry is one byte of a pickle, and 8 in memory. */
export const MAX_ENTRIES = 1_000_000
/** Python's own limit on recursion, so its pickler nests no deeper. */
export const MAX_DEPTH = 1000
/** The most that LONG1 can hold. What takes LONG4 counts nothing. */
export const MAX_INTEGER_BYTES = 255
/** Of classes, and of tensors with the names of all modules around them. */
export const MAX_NAME_LENGTH = 1000
