// Text that people send.
import * as z from 'zod'

/** Trimmed, not empty, and free of the one character that PostgreSQL cannot keep. */
export function text(maxLength: number) {
  return (
    z
      .string()
      .trim()
      .min(1)
      .max(maxLength)
      // No pattern: that one would be shown to readers, and filled in for them by Swagger UI.
      .refine(text => !text.includes('\0'), 'Text cannot hold the character U+0000')
      // What is trimmed must have something left, which its length alone does not say.
      .meta({ pattern: '\\S' })
  )
}
