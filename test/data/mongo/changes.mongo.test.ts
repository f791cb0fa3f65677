// Changes as they happen, and transactions: on a real server, else on our double, which has a log as a replica set does. FerretDB has none.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BSON, type ChangeStream } from 'mongodb'
import * as z from 'zod'
import {
  type Change,
  type Collection,
  connect,
  DocumentError,
  MongoConflictError,
  type WatchOptions,
} from '../../../src/data/mongo/index.ts'
import { MongoDouble } from '../support/mongo-double.ts'
import { mongoServer } from '../support/mongo-server.ts'
import { eventually } from '../support/server.ts'

const server = await mongoServer('log')
const Item = z.object({ name: z.string(), n: z.int() })
type Held = z.output<typeof Item> & { readonly _id: string }

type Items = Collection<typeof Item>

/** A watch that is open: markers are put in until one is seen, for a watch shows what comes after it was opened, and nobody says when that is. */
async function openWatch(items: Items, options: WatchOptions = {}) {
  const taken: Change<Held>[] = []
  const ended = (async () => {
    for await (const change of items.watch(options)) taken.push(change)
  })()
  // Handled where it is awaited.
  ended.catch(() => {})
  await eventually(async () => {
    if (taken.length > 0) return true
    await items.insert({ name: 'marker', n: 0 })
    return undefined
  })
  /** Without the markers. */
  const seen = () => taken.filter(({ document }) => document?.name !== 'marker')
  const until = (count: number) => eventually(() => (seen().length >= count ? seen() : undefined))
  return { taken, until, ended }
}

describe(`changes, on ${server.name}`, async () => {
  const db = await server.open()

  test('arrive in order, with the document as it is', async () => {
    const items = db.collection('stream', Item)
    const left = new AbortController()
    const { until, ended } = await openWatch(items, { signal: left.signal })
    const { _id } = await items.insert({ name: 'first', n: 1 })
    await until(1)
    await items.updateOne({ _id }, { increment: { n: 1 } })
    await until(2)
    await items.replaceOne({ _id }, { name: 'other', n: 9 })
    await items.deleteOne({ _id })
    const changes = await until(4)
    assert.deepEqual(
      changes.map(({ operation, id, document }) => [operation, id === _id, document?.n]),
      [
        ['insert', true, 1],
        ['update', true, 2],
        ['replace', true, 9],
        ['delete', true, undefined],
      ],
    )
    const reason = new Error('enough')
    left.abort(reason)
    await assert.rejects(ended, error => error === reason)
  })

  test('go on after the last one that was read, nothing left out and nothing twice', async () => {
    const items = db.collection('resume', Item)
    const left = new AbortController()
    const { taken } = await openWatch(items, { signal: left.signal })
    left.abort()
    const { resumeToken } = taken.at(-1)!
    await items.insertMany(Array.from({ length: 5 }, (_, n) => ({ name: 'later', n })))
    const later: (number | undefined)[] = []
    for await (const { document } of items.watch({ resumeAfter: resumeToken, operations: ['insert'] })) {
      if (document?.name !== 'later') continue
      if (later.push(document.n) === 5) break
    }
    assert.deepEqual(later, [0, 1, 2, 3, 4])
    await assert.rejects(items.watch({ resumeAfter: '!' }).next(), { code: 'MONGO_RESUME_TOKEN' })
  })

  test(
    'go on where they were after the server was away',
    {
      skip: server.name === 'MongoDB' && 'a real server is not ours to kill',
    },
    async () => {
      const items = db.collection('outlives', Item)
      const left = new AbortController()
      const { taken, until, ended } = await openWatch(items, { signal: left.signal })
      await items.insert({ name: 'before', n: 1 })
      await until(1)
      await server.kill()
      await assert.rejects(items.insert({ name: 'lost', n: 0 }), { code: 'MONGO_UNAVAILABLE' })
      await server.startAgain()
      await eventually(() => items.insert({ name: 'after', n: 2 }).catch(() => undefined))
      const seen = await until(2)
      assert.deepEqual(
        seen.map(({ document }) => document?.name),
        ['before', 'after'],
      )
      assert.equal(new Set(taken.map(({ resumeToken }) => resumeToken)).size, taken.length)
      left.abort()
      await assert.rejects(ended)
    },
  )

  test(
    'go on from what the server has said since, where a collection has been quiet for longer than the log goes back',
    {
      skip: server.name === 'MongoDB' && 'a real server is not ours to kill',
    },
    async () => {
      const own = await server.open({ selectionTimeout: 200 })
      const items = own.collection('quiet', Item)
      const opened: { readonly from: unknown; readonly stream: ChangeStream }[] = []
      const watch = items.driver.watch.bind(items.driver)
      items.driver.watch = ((pipeline: object[], options: { resumeAfter?: unknown }) => {
        const stream = watch(pipeline, options)
        opened.push({ from: options.resumeAfter, stream })
        return stream
      }) as typeof items.driver.watch
      const left = new AbortController()
      const { taken, until, ended } = await openWatch(items, { signal: left.signal })
      const last = () => BSON.deserialize(Buffer.from(taken.at(-1)!.resumeToken, 'base64url'))['_data'] as string
      await own.collection('busy', Item).insertMany(Array.from({ length: 20 }, (_, n) => ({ name: 'other', n })))
      const told = () => (opened[0]!.stream.resumeToken as { _data: string } | null)?._data ?? ''
      const said = await eventually(() => (told() > last() ? told() : undefined))
      await server.kill()
      await eventually(() => (opened.length > 1 ? true : undefined))
      await server.startAgain()
      await eventually(() => items.insert({ name: 'after', n: 1 }).catch(() => undefined))
      await until(1)
      // What is older than this may be gone from the log by then.
      for (const { from } of opened.slice(1)) assert.ok((from as { _data: string })._data >= said)
      left.abort()
      await assert.rejects(ended)
    },
  )

  test('a document that does not fit ends them with the token to go on behind it', async () => {
    const items = db.collection('misfits', Item)
    const left = new AbortController()
    const { taken, ended } = await openWatch(items, { signal: left.signal })
    await items.driver.insertOne({ name: 'misfit', n: 'many' })
    const error = await ended.then(
      () => assert.fail(),
      (error: unknown) => error,
    )
    assert.ok(error instanceof DocumentError)
    assert.ok(error.resumeToken !== undefined && error.resumeToken !== taken.at(-1)!.resumeToken)
    await items.insert({ name: 'fits', n: 2 })
    for await (const { document } of items.watch({ resumeAfter: error.resumeToken })) {
      assert.equal(document?.name, 'fits')
      break
    }
  })

  test('end when the database closes', async () => {
    const own = await server.open()
    const { ended } = await openWatch(own.collection('closing', Item))
    await own.close()
    await ended
  })
})

describe(`a transaction, on ${server.name}`, async () => {
  const db = await server.open()
  const accounts = db.collection('accounts', Item)

  test('is done as a whole, and seen by nobody before', async () => {
    await accounts.insertMany([
      { name: 'a', n: 10 },
      { name: 'b', n: 0 },
    ])
    const result = await db.transaction(async tx => {
      const inside = tx.collection('accounts', Item)
      await inside.updateOne({ name: 'a' }, { increment: { n: -4 } })
      await inside.updateOne({ name: 'b' }, { increment: { n: 4 } })
      assert.equal((await inside.findOne({ name: 'b' }))?.n, 4)
      assert.equal((await accounts.findOne({ name: 'b' }))?.n, 0)
      return 'done'
    })
    assert.equal(result, 'done')
    assert.deepEqual(
      (await accounts.find({}, { sort: { name: 1 } })).map(({ n }) => n),
      [6, 4],
    )
  })

  test('is undone when its work throws', async () => {
    const why = new Error('no')
    await assert.rejects(
      db.transaction(async tx => {
        await tx.collection('accounts', Item).updateMany({}, { set: { n: 0 } })
        throw why
      }),
      error => error === why,
    )
    assert.equal((await accounts.findOne({ name: 'a' }))?.n, 6)
  })

  test('is undone when whoever it is for has left before it is committed, and takes no more', async () => {
    for (const isWaiting of [true, false]) {
      const left = new AbortController()
      const reason = new Error('the client has left')
      const during = db.transaction(
        async tx => {
          const inside = tx.collection('accounts', Item)
          await inside.updateMany({}, { set: { n: 0 } })
          left.abort(reason)
          if (isWaiting) await inside.findOne({ name: 'a' })
        },
        { signal: left.signal },
      )
      await assert.rejects(during, error => error === reason)
      assert.equal((await accounts.findOne({ name: 'a' }))?.n, 6)
    }
  })

  test('that another one comes before is refused, and run again where that was asked for', async () => {
    let runs = 0
    const addOne = (retries: number) =>
      db.transaction(
        async tx => {
          const inside = tx.collection('accounts', Item)
          const { n } = (await inside.findOne({ name: 'a' }))!
          // Somebody else is quicker, the first time.
          if (runs++ === 0) await accounts.updateOne({ name: 'a' }, { increment: { n: 100 } })
          await inside.updateOne({ name: 'a' }, { set: { n: n + 1 } })
        },
        { retries },
      )
    await assert.rejects(addOne(0), MongoConflictError)
    runs = 0
    await addOne(1)
    assert.equal(runs, 2)
    assert.equal((await accounts.findOne({ name: 'a' }))?.n, 207)
  })
})

test('without a replica set a transaction is refused before anything is done, and a watch when it begins', async () => {
  const standalone = new MongoDouble('standalone')
  const url = await standalone.start()
  const db = await connect({ url })
  let ran = false
  await assert.rejects(
    db.transaction(() => (ran = true)),
    { code: 'MONGO_NO_TRANSACTIONS' },
  )
  assert.equal(ran, false)
  await assert.rejects(db.collection('items', Item).watch().next(), { code: 'MONGO_COMMAND', serverCode: 40573 })
  await db.close()
  await standalone.kill()
})
