// The guide's notes on MongoDB do what the page says.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ObjectId } from 'mongodb'
import { testClient } from 'millrace/testing'
import { mongoServer } from '../data/support/mongo-server.ts'

const server = await mongoServer()
const database = await server.open()
await database.driver.collection('notes').createIndex({ slug: 1 }, { unique: true })
const url = new URL(server.url)
url.pathname = `/${database.driver.databaseName}`
process.env['MONGODB_URL'] = url.href
const { default: app } = await import('../../examples/guide/mongo.ts')
const api = testClient(app)
after(() => api.close())

const post = (path: `/${string}`, body: object) =>
  api.fetch(path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })

test(`notes are written, found, liked and not doubled, on ${server.name}`, async () => {
  const made = await post('/notes', { slug: 'first', text: 'Hello', tags: ['a', 'b'] })
  assert.equal(made.status, 201)
  const note = (await made.json()) as { _id: string; at: string }
  assert.equal((await post('/notes', { slug: 'first', text: 'Again', tags: [] })).status, 409)
  assert.equal((await post('/notes/first/likes', {})).status, 200)
  assert.equal((await post('/notes/none/likes', {})).status, 404)
  const found = async (query: string) => (await (await api.fetch(`/notes?${query}`)).json()) as unknown
  assert.deepEqual(await found('tag=a'), [{ ...note, likes: 1 }])
  assert.deepEqual(await found(`tag=a&since=${note.at}`), [{ ...note, likes: 1 }])
  assert.deepEqual(await found('tag=a&since=2999-01-01T00:00:00Z'), [])
  assert.equal((await api.fetch('/notes?tag[$ne]=x')).status, 422)
})

test('comments refer to their note by an ObjectId, and handlers by its text', async () => {
  const made = await post('/notes', { slug: 'discussed', text: 'Hello', tags: [] })
  const { _id: noteId } = (await made.json()) as { _id: string }
  const comment = await post(`/notes/${noteId}/comments`, { text: 'Well' })
  assert.equal(comment.status, 201)
  assert.deepEqual(await (await api.fetch(`/notes/${noteId}/comments`)).json(), [await comment.json()])
  assert.ok((await database.driver.collection('comments').findOne({}))?.['noteId'] instanceof ObjectId)
  assert.equal((await post(`/notes/${'0'.repeat(24)}/comments`, { text: 'Well' })).status, 404)
  assert.equal((await api.fetch('/notes/none/comments')).status, 422)
})
