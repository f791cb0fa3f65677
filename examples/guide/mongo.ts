import { App, fail } from 'millrace'
import { DuplicateKeyError, is, mongo } from 'millrace/mongo'
import { ObjectId } from 'mongodb'
import * as z from 'zod'

const app = new App({ title: 'Notes', version: '1.0.0' })

// One pool in each worker, of at most ten connections, on what MONGODB_URL names.
const db = mongo({ maxConnections: 10 })

const Note = z.object({ slug: z.string(), text: z.string(), tags: z.array(z.string()), likes: z.int(), at: z.date() })
const StoredNote = Note.extend({ _id: z.string() }).meta({ id: 'Note' })

// MongoDB keeps the id of another document as an ObjectId; handlers hold its text, as of `_id`.
const reference = z.codec(z.any(), z.string().regex(/^[0-9a-f]{24}$/), {
  decode: String,
  encode: text => new ObjectId(text),
})
const Comment = z.object({ noteId: reference, text: z.string() })
const StoredComment = z.object({ _id: z.string(), noteId: z.string(), text: z.string() }).meta({ id: 'Comment' })

// Values are literal, whatever a client sends for them; only code makes operators.
app.get(
  '/notes',
  {
    query: z.object({ tag: z.string(), since: z.date().optional() }),
    returns: z.array(StoredNote),
    uses: { db },
  },
  ({ query, db, signal }) =>
    db
      .collection('notes', Note)
      .find(
        { tags: query.tag, ...(query.since ? { at: is.gte(query.since) } : {}) },
        { sort: { at: -1 }, limit: 20, signal },
      ),
)

app.post(
  '/notes',
  { body: Note.omit({ likes: true, at: true }), returns: { 201: StoredNote }, uses: { db } },
  async ({ body, db, reply }) => {
    try {
      return reply(201, await db.collection('notes', Note).insert({ ...body, likes: 0, at: new Date() }))
    } catch (error) {
      if (error instanceof DuplicateKeyError) fail(409, 'There is such a note already')
      throw error
    }
  },
)

app.post(
  '/notes/{slug}/likes',
  { params: z.object({ slug: z.string() }), returns: StoredNote, uses: { db } },
  async ({ params, db }) =>
    (await db.collection('notes', Note).findOneAndUpdate({ slug: params.slug }, { increment: { likes: 1 } })) ??
    fail(404, 'No such note'),
)

app.get(
  '/notes/{noteId}/comments',
  { params: z.object({ noteId: z.string() }), returns: z.array(StoredComment), uses: { db } },
  ({ params, db, signal }) =>
    db.collection('comments', Comment).find({ noteId: params.noteId }, { sort: { _id: 1 }, limit: 100, signal }),
)

app.post(
  '/notes/{noteId}/comments',
  {
    params: z.object({ noteId: z.string() }),
    body: Comment.omit({ noteId: true }),
    returns: { 201: StoredComment },
    uses: { db },
  },
  async ({ params, body, db }) => {
    const note = (await db.collection('notes', Note).findOne({ _id: params.noteId })) ?? fail(404, 'No such note')
    return db.collection('comments', Comment).insert({ noteId: note._id, ...body })
  },
)

export default app
