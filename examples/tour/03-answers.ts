// How do I say what leaves, and with which status?
import { App, fail, text } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Answers', version: '1.0.0' })

const Note = z.object({ id: z.int(), text: z.string(), at: z.date() }).meta({ id: 'Note' })
const Problem = z.object({ title: z.string() })
const params = z.object({ id: z.int() })

const at = new Date('2026-11-02T09:30:00Z')
const notes = new Map([[1, { id: 1, text: 'Buy milk', at, owner: 'ada' }]])

// The compiler and the server both check what a handler returns. `owner` is not declared, so it does not leave.
app.get('/notes/{id}', { params, returns: { 200: Note, 404: Problem } }, ({ params, reply }) => {
  return notes.get(params.id) ?? reply(404, { title: 'No such note' })
})

app.post('/notes', { body: z.object({ text: z.string() }), returns: { 201: Note } }, ({ body, reply }) => {
  const note = { id: notes.size + 1, text: body.text, at, owner: 'bob' }
  notes.set(note.id, note)
  return reply(201, note, { headers: { location: `/notes/${note.id}` } })
})

// `fail` throws an HttpError: a problem document, from however deep in the code.
app.delete('/notes/{id}', { params, returns: { 204: null } }, ({ params }) => {
  if (params.id === 1) fail(403, 'The first note stays')
  notes.delete(params.id)
})

// `text` says in the document what is not JSON. A Response of the web platform goes out as it is; its body may be a stream.
app.get('/notes.txt', { returns: text }, () => {
  const lines = [...notes.values()].map(note => `${note.id} ${note.text}\n`)
  return new Response(lines.join(''), { headers: { 'content-type': 'text/plain; charset=utf-8' } })
})

export default app
