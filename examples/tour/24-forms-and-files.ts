// How do I take forms and files?
import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Forms and files', version: '1.0.0' })

// Fields of a form, urlencoded or multipart. What a person left blank counts as missing where an empty text is no value.
app.post(
  '/login',
  {
    form: z.object({
      name: z.string().min(1),
      password: z.string().min(8).meta({ secret: true }),
      remember: z.boolean().default(false),
    }),
  },
  ({ form }) => ({ hello: form.name, remember: form.remember }),
)

// Files come with rules of their own, checked while they arrive; beyond 1 MiB they wait on the disk, and are gone when the answer is out.
app.post(
  '/albums',
  {
    form: z.object({ title: z.string().min(1), year: z.int().optional() }),
    files: {
      cover: { types: ['image/*'], maxBytes: 100_000 },
      songs: { many: true, max: 3, optional: true },
    },
    maxBodyBytes: 1_000_000,
  },
  async ({ form, files: { cover, songs } }) => {
    const sizes = songs.map(({ name, size }) => `${name} ${size}`)
    // To keep one: await cover.save(path). Its name is the client's word, so the path should be yours.
    return { ...form, cover: (await cover.bytes()).length, songs: sizes }
  },
)

export default app
