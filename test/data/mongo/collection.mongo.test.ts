import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import {
  all,
  any,
  DocumentError,
  DuplicateKeyError,
  is,
  none,
  trusted,
  UnsafeValueError,
  where,
} from '../../../src/data/mongo/index.ts'
import { everyMongo } from '../support/mongo-server.ts'

const Review = z.object({
  productId: z.int(),
  rating: z.int().min(1).max(5),
  text: z.string(),
  tags: z.array(z.string()),
  author: z.object({ name: z.string(), country: z.string().optional() }),
  writtenAt: z.date(),
})

const review = (productId: number, rating: number, name = 'Ada', tags: string[] = []) => ({
  productId,
  rating,
  text: `${rating} stars`,
  tags,
  author: { name },
  writtenAt: new Date(Date.UTC(2026, 0, rating)),
})

for (const server of await everyMongo()) {
  describe(`a collection, on ${server.name}`, async () => {
    const db = await server.open()

    test('keeps documents and gives them back as they were, with the text of an id', async () => {
      const reviews = db.collection('round', Review)
      const made = await reviews.insert(review(1, 5, 'Ada', ['oak']))
      assert.match(made._id, /^[0-9a-f]{24}$/)
      const found = await reviews.findOne({ _id: made._id })
      assert.deepEqual(found, { _id: made._id, ...review(1, 5, 'Ada', ['oak']) })
      assert.ok(found?.writtenAt instanceof Date)
      // The driver sees an ObjectId and a date.
      const raw = await reviews.driver.findOne({})
      assert.equal(raw?._id.toHexString(), made._id)
      assert.ok(raw?.['writtenAt'] instanceof Date)
    })

    test('an id that is none names no document', async () => {
      const reviews = db.collection('round', Review)
      assert.equal(await reviews.findOne({ _id: 'no such id' }), null)
      assert.deepEqual(await reviews.find({ _id: is.in(['x', '000000000000000000000000']) }), [])
    })

    test('refuses what does not fit the schema, without telling values, and stores nothing', async () => {
      const reviews = db.collection('strict', Review)
      await assert.rejects(reviews.insert({ ...review(1, 5), rating: 6 }), (error: Error) => {
        assert.ok(error instanceof DocumentError)
        assert.match(error.message, /^collection strict: the value does not fit the schema: rating /)
        return true
      })
      await assert.rejects(reviews.insertMany([review(1, 5), { ...review(1, 5), text: 7 as unknown as string }]))
      assert.equal(await reviews.count({}), 0)
    })

    test('a document of somebody else that does not fit is an error and not an answer', async () => {
      const reviews = db.collection('foreign', Review)
      await reviews.driver.insertOne({ productId: 'one', secret: 'pa55word' })
      await assert.rejects(reviews.find({}), (error: Error) => {
        assert.ok(error instanceof DocumentError)
        assert.match(error.message, /the document [0-9a-f]{24} does not fit the schema: productId/)
        assert.doesNotMatch(error.message, /pa55word/)
        return true
      })
    })

    test('holds an id of its own where the schema declares one', async () => {
      const settings = db.collection('settings', z.object({ _id: z.string(), value: z.number() }))
      assert.deepEqual(await settings.insert({ _id: 'tax', value: 20 }), { _id: 'tax', value: 20 })
      assert.deepEqual(await settings.findOne({ _id: 'tax' }), { _id: 'tax', value: 20 })
    })

    test('codecs, big integers, sets and bytes arrive as the schema says', async () => {
      const day = z.codec(z.string(), z.date(), {
        decode: text => new Date(text),
        encode: date => date.toISOString(),
      })
      const Event = z.object({ day, big: z.bigint(), small: z.bigint(), kinds: z.set(z.string()) })
      const events = db.collection('events', Event)
      const event = {
        day: new Date('2026-01-02T03:04:05.000Z'),
        big: 9_007_199_254_740_993n,
        small: 7n,
        kinds: new Set(['a', 'b']),
      }
      const { _id } = await events.insert(event)
      assert.deepEqual(await events.findOne({ _id }), { _id, ...event })
      assert.equal((await events.driver.findOne({}))?.['day'], '2026-01-02T03:04:05.000Z')
    })

    test('takes TypeBox and JSON Schema too', async () => {
      const notes = db.collection('notes', {
        type: 'object',
        properties: { text: { type: 'string' } },
        required: ['text'],
        additionalProperties: false,
      } as const)
      const { _id } = await notes.insert({ text: 'hello' })
      assert.deepEqual(await notes.findOne({ text: 'hello' }), { _id, text: 'hello' })
      await assert.rejects(notes.insert({ text: 7 as unknown as string }), DocumentError)
    })

    test('finds by comparisons, lists, paths, and all, any or none of several', async () => {
      const reviews = db.collection('search', Review)
      await reviews.insertMany([
        review(1, 1, 'Ada', ['oak', 'desk']),
        review(1, 3, 'Bob', ['desk']),
        review(2, 5, 'Ada'),
        { ...review(2, 4, 'Eve'), author: { name: 'Eve', country: 'AT' } },
      ])
      const ratings = async (filter: Parameters<typeof reviews.find>[0]) =>
        (await reviews.find(filter, { sort: { rating: 1 } })).map(({ rating }) => rating)
      assert.deepEqual(await ratings({ rating: is.gte(4) }), [4, 5])
      assert.deepEqual(await ratings({ rating: is.between(3, 5) }), [3, 4])
      assert.deepEqual(await ratings({ rating: is.ne(3), productId: 1 }), [1])
      assert.deepEqual(await ratings({ rating: is.in([1, 5]) }), [1, 5])
      assert.deepEqual(await ratings({ rating: is.notIn([1, 5]) }), [3, 4])
      assert.deepEqual(await ratings({ tags: 'desk' }), [1, 3])
      assert.deepEqual(await ratings({ text: is.startingWith('5 st') }), [5])
      assert.deepEqual(await ratings({ text: is.startingWith('.*') }), [])
      assert.deepEqual(await ratings({ text: is.matching(/^[45] /) }), [4, 5])
      assert.deepEqual(await ratings(where('author.name', 'Ada')), [1, 5])
      assert.deepEqual(await ratings(where('author.country', is.present())), [4])
      assert.deepEqual(await ratings(all({ productId: 1 }, any({ rating: 1 }, { rating: 5 }))), [1])
      assert.deepEqual(await ratings(none({ productId: 1 }, { rating: 5 })), [4])
      assert.deepEqual(await ratings(trusted({ rating: { $mod: [2, 0] } })), [4])
      assert.deepEqual(await ratings({ author: { name: 'Ada' } }), [1, 5])
      assert.equal(await reviews.count({ productId: 2 }), 2)
      assert.deepEqual(
        (await reviews.find({}, { sort: { rating: -1 }, skip: 1, limit: 2 })).map(({ rating }) => rating),
        [4, 3],
      )
    })

    test('gives documents one after another, and ends the cursor when the loop is left', async () => {
      const numbers = db.collection('numbers', z.object({ n: z.int() }))
      await numbers.insertMany(Array.from({ length: 250 }, (_, n) => ({ n })))
      let sum = 0
      for await (const { n } of numbers.each({}, { sort: { n: 1 } })) sum += n
      assert.equal(sum, (250 * 249) / 2)
      for await (const { n } of numbers.each({}, { sort: { n: 1 } })) if (n === 120) break
      assert.equal(db.running, 0)
    })

    test('changes fields, validated by their schemas', async () => {
      const reviews = db.collection('changes', Review)
      const { _id } = await reviews.insert(review(1, 2))
      assert.deepEqual(await reviews.updateOne({ _id }, { set: { rating: 4 }, push: { tags: 'oak' } }), {
        matched: 1,
        modified: 1,
        upsertedId: undefined,
      })
      await reviews.updateOne({ _id }, { addToSet: { tags: 'oak' }, increment: { productId: 6 }, max: { rating: 3 } })
      assert.deepEqual(await reviews.findOne({ _id }), {
        ...review(7, 4),
        _id,
        text: '2 stars',
        tags: ['oak'],
        writtenAt: review(1, 2).writtenAt,
      })
      const changed = await reviews.findOneAndUpdate({ _id }, { pull: { tags: 'oak' }, set: { text: 'new' } })
      assert.deepEqual(changed?.tags, [])
      assert.equal(changed?.text, 'new')
      await assert.rejects(reviews.updateOne({ _id }, { set: { rating: 9 } }), DocumentError)
      await assert.rejects(reviews.updateOne({ _id }, {}), { code: 'MONGO_UPDATE' })
      await assert.rejects(reviews.updateOne({ _id }, { set: { nothing: 1 } as object }), { code: 'MONGO_UPDATE' })
      await assert.rejects(reviews.updateOne({ _id }, { set: { _id: 'x' } }), { code: 'MONGO_UPDATE' })
      assert.equal((await reviews.findOne({ _id }))?.rating, 4)
    })

    test('upserts, replaces and removes', async () => {
      const counts = db.collection('counts', z.object({ name: z.string(), n: z.int() }))
      const { upsertedId } = await counts.updateOne({ name: 'a' }, { increment: { n: 1 } }, { upsert: true })
      assert.match(upsertedId!, /^[0-9a-f]{24}$/)
      await counts.updateOne({ name: 'a' }, { increment: { n: 1 } }, { upsert: true })
      assert.deepEqual(await counts.find({}), [{ _id: upsertedId, name: 'a', n: 2 }])
      assert.equal((await counts.replaceOne({ name: 'a' }, { name: 'b', n: 7 })).modified, 1)
      assert.deepEqual(await counts.find({}), [{ _id: upsertedId, name: 'b', n: 7 }])
      await counts.insertMany([
        { name: 'c', n: 1 },
        { name: 'd', n: 1 },
      ])
      assert.equal((await counts.updateMany({ n: 1 }, { set: { n: 2 } })).matched, 2)
      assert.equal(await counts.deleteOne({ name: 'b' }), 1)
      assert.equal(await counts.deleteMany({ n: 2 }), 2)
      assert.equal(await counts.count({}), 0)
    })

    test('a duplicate is a typed error that quotes no value', async () => {
      const users = db.collection('users', z.object({ email: z.string() }))
      await users.createIndex({ email: 1 }, { unique: true })
      await users.createIndex({ email: 1 }, { unique: true })
      await users.insert({ email: 'ada@example.com' })
      for (const again of [
        () => users.insert({ email: 'ada@example.com' }),
        () => users.insertMany([{ email: 'ada@example.com' }]),
      ])
        await assert.rejects(again, (error: Error) => {
          assert.ok(error instanceof DuplicateKeyError, String(error))
          assert.doesNotMatch(error.message, /ada/)
          // FerretDB does not say of which index.
          assert.deepEqual(error.fields, server.name === 'FerretDB' ? [] : ['email'])
          return true
        })
      assert.equal(await users.count({}), 1)
    })

    test('of many documents those before a duplicate are stored, and it says which that is', async () => {
      const users = db.collection('members', z.object({ email: z.string() }))
      await users.createIndex({ email: 1 }, { unique: true })
      const emails = (texts: string) => Array.from(texts, email => ({ email }))
      await assert.rejects(users.insertMany(emails('abcbd')), (error: Error) => {
        assert.ok(error instanceof DuplicateKeyError)
        assert.equal(error.index, 3)
        return true
      })
      assert.deepEqual(
        (await users.find({}, { sort: { email: 1 } })).map(({ email }) => email),
        ['a', 'b', 'c'],
      )
    })

    test('pipelines take input by match, and their results have a schema', async () => {
      const reviews = db.collection('sums', Review)
      await reviews.insertMany([review(1, 1), review(1, 4), review(2, 5)])
      const Stars = z.object({ _id: z.int(), count: z.int() })
      // One sum: FerretDB's second one of a group stays 0.
      const stars = await reviews.aggregate(
        [reviews.match({ productId: 1 }), { $group: { _id: '$rating', count: { $sum: 1 } } }, { $sort: { _id: 1 } }],
        { returns: Stars },
      )
      assert.deepEqual(stars, [
        { _id: 1, count: 1 },
        { _id: 4, count: 1 },
      ])
      assert.throws(() => reviews.match({ productId: { $gt: 0 } as unknown as number }), UnsafeValueError)
    })

    test('a password that is an operator opens nothing', async () => {
      const users = db.collection('accounts', z.object({ name: z.string(), password: z.string() }))
      await users.insert({ name: 'ada', password: 'correct horse' })
      const attempts: unknown[] = [
        { $ne: null },
        { $gt: '' },
        { $regex: '.*' },
        { $eq: { $ne: 1 } },
        { $where: '1' },
        JSON.parse('{"__proto__": {"$ne": 1}}'),
        { $in: ['correct horse'] },
        [{ $ne: null }],
        { a: { b: { $ne: 1 } } },
        undefined,
      ]
      for (const password of attempts)
        await assert.rejects(users.findOne({ name: 'ada', password: password as string }), {
          code: 'MONGO_UNSAFE_VALUE',
          status: 422,
        })
      assert.equal((await users.findOne({ name: 'ada', password: 'correct horse' }))?.name, 'ada')
    })
  })
}
