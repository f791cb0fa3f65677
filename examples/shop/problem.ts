// What the shop says when it will not do something: problem documents (RFC 9457), which is how Millrace tells every error.
import * as z from 'zod'

export const Problem = z
  .object({
    type: z.string(),
    title: z.string().meta({ examples: ['Not Found'] }),
    status: z.int(),
    detail: z
      .string()
      .meta({ examples: ['No such product'] })
      .optional(),
  })
  .meta({ id: 'Refusal', description: 'Why the shop did not do what it was asked to' })
