// Text that people send.
import * as z from 'zod'

/** Trimmed, not empty, and free of the one character that PostgreSQL cannot keep. */
export function text(maxLength: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .regex(/^[^\0]*$/, 'Text cannot hold the character U+0000')
}
