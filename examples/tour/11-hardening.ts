// How do I make answers safe to show, and cheap to ask for again?
import { App } from 'millrace'
import { checkConditions, conditional, secureHeaders, trustedHosts } from 'millrace/middleware'
import * as z from 'zod'

const app = new App({ title: 'Hardening', version: '1.0.0' })

// From the outside in: only for our hosts; careful browsers; and who has an answer already is not sent it again.
app.use(
  trustedHosts({ hosts: ['localhost', '127.0.0.1', '*.shop.example'] }),
  secureHeaders({ contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'" }),
  conditional(),
)

const Note = z.object({ text: z.string() })
let note = { version: 1, text: 'first' }

// The tag is the version: without it, one would be made from the bytes.
app.get('/note', ({ reply }) => reply(200, { text: note.text }, { headers: { etag: `"${note.version}"` } }))

// Two who edit at once: the second is told, and overwrites nothing. Only the handler knows that it asks for If-Match, so it is said here.
const ifMatch = { name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } }
app.put('/note', { body: Note, returns: Note, openapi: { parameters: [ifMatch] } }, context => {
  checkConditions(context, { etag: `"${note.version}"` }, { required: true })
  note = { version: note.version + 1, text: context.body.text }
  return note
})

export default app
