import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Forms', version: '1.0.0' })

// The fields of a form, as a browser or curl sends them: urlencoded or multipart. Texts become what the schema declares.
app.post(
  '/subscribe',
  { form: z.object({ email: z.email(), weekly: z.boolean().default(false), topics: z.array(z.string()).default([]) }) },
  ({ form }) => form,
)

// Files, each with its rule, and fields beside them. The body is bounded by maxBodyBytes, 1 MiB unless the route says otherwise.
app.post(
  '/reports',
  {
    form: z.object({ title: z.string().min(1) }),
    files: {
      report: { types: ['text/plain', 'application/pdf'], maxBytes: 5_000_000 },
      photos: { many: true, max: 4, optional: true, types: ['image/*'] },
    },
    maxBodyBytes: 20_000_000,
  },
  async ({ form, files: { report, photos } }) => {
    const words = (await report.text()).split(/\s+/).length
    return { title: form.title, name: report.name, bytes: report.size, words, photos: photos.length }
  },
)

export default app
