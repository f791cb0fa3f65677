// Fields one at a time, by their schema: what is looked for, changed and added to a list is what handlers hold, and nothing is left behind that
// no read takes.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { all, DocumentError, is, UnsafeValueError, where } from '../../../src/data/mongo/index.ts'
import { everyMongo } from '../support/mongo-server.ts'

const day = z.codec(z.string(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() })
const FIRST = new Date('2026-01-01T00:00:00.000Z')
const SECOND = new Date('2026-01-02T00:00:00.000Z')

for (const server of await everyMongo()) {
  describe(`fields, on ${server.name}`, async () => {
    const db = await server.open()

    test('are looked for by what handlers hold: a codec by its output', async () => {
      const Event = z.object({
        on: day,
        days: z.array(day).optional(),
        place: z.object({ since: day }).nullable(),
        open: z.stringbool(),
      })
      const events = db.collection('events', Event)
      const made = await events.insertMany([
        { on: FIRST, days: [FIRST, SECOND], place: { since: FIRST }, open: true },
        { on: SECOND, place: null, open: false },
      ])
      const [first, second] = made.map(({ _id }) => _id)
      const found = async (filter: Parameters<typeof events.find>[0]) =>
        (await events.find(filter, { sort: { on: 1 } })).map(({ _id }) => _id)
      assert.deepEqual(await found({ on: FIRST }), [first])
      assert.deepEqual(await found({ on: is.gt(FIRST) }), [second])
      assert.deepEqual(await found({ on: is.between(FIRST, SECOND) }), [first])
      assert.deepEqual(await found({ on: is.in([FIRST, SECOND]) }), [first, second])
      assert.deepEqual(await found({ days: SECOND }), [first])
      assert.deepEqual(await found({ days: [FIRST, SECOND] }), [first])
      assert.deepEqual(await found({ open: false }), [second])
      assert.deepEqual(await found({ place: null }), [second])
      assert.deepEqual(await found({ place: { since: FIRST } }), [first])
      assert.deepEqual(await found(where('place.since', FIRST)), [first])
      assert.deepEqual(await found(where('days.1', SECOND)), [first])
      assert.deepEqual(await found(all({ on: FIRST }, where('days', FIRST))), [first])
      for (const forged of [{ $ne: null }, 'not a day', 7, { since: { $gt: '' } }])
        await assert.rejects(found({ on: forged as unknown as Date }), UnsafeValueError)
    })

    test('an id is the text of one wherever a condition names it', async () => {
      const items = db.collection('ids', z.object({ n: z.int() }))
      const { _id } = await items.insert({ n: 1 })
      await items.insert({ n: 2 })
      for (const condition of [where('_id', _id), where('_id', is.in([_id])), all(where('_id', is.eq(_id)))])
        assert.deepEqual(await items.find(condition), [{ _id, n: 1 }])
    })

    test('what is inserted is given back as it will be found', async () => {
      const notes = db.collection('notes', z.object({ text: z.string().trim(), tags: z.set(z.string()) }))
      const body = { text: '  hello ', tags: new Set(['a']), isAdmin: true }
      const made = await notes.insert(body)
      assert.deepEqual(made, { _id: made._id, text: 'hello', tags: new Set(['a']) })
      assert.deepEqual(await notes.findOne({}), made)
      const [other] = await notes.insertMany([{ ...body, text: ' other' }])
      assert.deepEqual(await notes.findOne({ _id: other!._id }), other)
      assert.equal(other!.text, 'other')
    })

    test('lists take items that fit, as their schema keeps them', async () => {
      const Diary = z.object({
        days: z.array(day).optional(),
        names: z.set(z.string().min(1)),
        most: z.array(z.int()).min(1),
      })
      const diaries = db.collection('diaries', Diary)
      const { _id } = await diaries.insert({ days: [FIRST], names: new Set(['a']), most: [1] })
      await diaries.updateOne({ _id }, { push: { days: SECOND, most: 2 }, addToSet: { names: 'b' } })
      await diaries.updateOne({ _id }, { addToSet: { days: SECOND, names: 'b' } })
      const names = new Set(['a', 'b'])
      assert.deepEqual(await diaries.findOne({ _id }), { _id, days: [FIRST, SECOND], names, most: [1, 2] })
      await diaries.updateOne({ _id }, { pull: { days: FIRST, names: 'a' } })
      assert.deepEqual((await diaries.findOne({ _id }))?.days, [SECOND])
      for (const misfit of [
        { push: { most: 'many' as unknown as number } },
        { push: { days: 'tomorrow' as unknown as Date } },
        { addToSet: { names: '' } },
      ])
        await assert.rejects(diaries.updateOne({ _id }, misfit), DocumentError)
      await assert.rejects(diaries.updateOne({ _id }, { push: { others: 1 } as object }), { code: 'MONGO_UPDATE' })
      assert.deepEqual((await diaries.findOne({ _id }))?.most, [1, 2])
    })

    test('no change leaves a document behind that no read takes', async () => {
      const counts = db.collection(
        'counts',
        z.object({ n: z.int(), share: z.number(), big: z.bigint(), note: z.string().optional() }),
      )
      const { _id } = await counts.insert({ n: 1, share: 1, big: 1n, note: 'x' })
      await counts.updateOne({ _id }, { increment: { n: 2, share: 0.5, big: 3n }, unset: ['note'] })
      const after = { _id, n: 3, share: 1.5, big: 4n }
      assert.deepEqual(await counts.findOne({ _id }), after)
      await assert.rejects(counts.updateOne({ _id }, { increment: { n: 0.5 } }), DocumentError)
      await assert.rejects(counts.updateOne({ _id }, { increment: { big: 0.5 as unknown as bigint } }), DocumentError)
      for (const step of [NaN, Infinity])
        await assert.rejects(counts.updateOne({ _id }, { increment: { share: step } }), UnsafeValueError)
      await assert.rejects(counts.updateOne({ _id }, { increment: { others: 1 } as object }), { code: 'MONGO_UPDATE' })
      await assert.rejects(counts.updateOne({ _id }, { unset: ['n'] }), { code: 'MONGO_UPDATE' })
      await assert.rejects(counts.updateOne({ _id }, { unset: ['others' as 'note'] }), { code: 'MONGO_UPDATE' })
      assert.deepEqual(await counts.findOne({ _id }), after)
    })

    test('an upsert names all that each document has, or makes none', async () => {
      const Seat = z.object({
        row: z.int(),
        by: z.string(),
        since: z.date(),
        note: z.string().optional(),
        n: z.int().default(0),
      })
      const seats = db.collection('seats', Seat)
      const upsert = { upsert: true }
      const since = new Date(0)
      for (const update of [{ set: { by: 'ada' } }, { set: { by: 'ada' }, increment: { n: 1 } }]) {
        await assert.rejects(seats.updateOne({ row: 1 }, update, upsert), { code: 'MONGO_UPDATE' })
        await assert.rejects(seats.findOneAndUpdate({ row: 1 }, update, upsert), { code: 'MONGO_UPDATE' })
      }
      const whole = { set: { by: 'ada' }, setOnInsert: { since } }
      await assert.rejects(seats.updateOne({ row: is.gt(1) }, whole, upsert), { code: 'MONGO_UPDATE' })
      assert.equal(await seats.count({}), 0)
      const made = await seats.findOneAndUpdate({ row: 1 }, whole, upsert)
      assert.deepEqual(made, { _id: made?._id, row: 1, by: 'ada', since, n: 0 })
      await seats.updateOne({ row: is.eq(2) }, whole, upsert)
      assert.equal((await seats.find({})).length, 2)
    })

    test('that a schema leaves open are changed as it says', async () => {
      const loose = db.collection('loose', z.looseObject({ n: z.int() }))
      await loose.insert({ n: 1, other: 1 })
      await loose.updateOne({}, { set: { other: 'two' } })
      assert.equal((await loose.findOne({}))?.['other'], 'two')
      const records = db.collection('records', z.record(z.string(), z.int()))
      await records.driver.insertOne({ a: 1 })
      await records.updateOne({}, { set: { b: 2 } })
      await assert.rejects(records.updateOne({}, { set: { b: 'two' as unknown as number } }), DocumentError)
      const named = db.collection('named', {
        type: 'object',
        properties: { a: { $ref: '#/$defs/Name' }, list: { type: 'array', items: { $ref: '#/$defs/Name' } } },
        required: ['a', 'list'],
        additionalProperties: false,
        $defs: { Name: { type: 'string', minLength: 1 } },
      } as const)
      await named.insert({ a: 'x', list: [] })
      await named.updateOne({}, { set: { a: 'y' }, push: { list: 'z' } })
      await assert.rejects(named.updateOne({}, { set: { a: '' } }), DocumentError)
      await assert.rejects(named.updateOne({}, { push: { list: '' } }), DocumentError)
      await assert.rejects(named.updateOne({}, { set: { b: 'x' } } as object), { code: 'MONGO_UPDATE' })
    })

    test('pages are whole and bounded, and sorted by names', async () => {
      const items = db.collection('pages', z.object({ n: z.int() }))
      await items.insertMany([{ n: 1 }, { n: 2 }, { n: 3 }])
      assert.equal((await items.find({}, { limit: 2, skip: 0 })).length, 2)
      // To MongoDB 0 is no limit at all.
      for (const page of [{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: NaN }, { skip: -1 }])
        await assert.rejects(items.find({}, page), { code: 'MONGO_UNSAFE_VALUE', status: 422 })
      for (const sort of ['{"$natural": 1}', '{"n": {"$meta": "textScore"}}', '{"__proto__": 1}'])
        await assert.rejects(items.find({}, { sort: JSON.parse(sort) as object }), UnsafeValueError)
    })

    test('values that the driver would change on their way are refused', async () => {
      const items = db.collection('values', z.object({ big: z.bigint(), any: z.unknown() }))
      await items.insert({ big: 2n ** 63n - 1n, any: new Date(0) })
      for (const big of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n + 5n])
        await assert.rejects(items.insert({ big, any: 0 }), UnsafeValueError)
      await assert.rejects(items.find({ any: is.gte(new Date('no date')) }), UnsafeValueError)
      assert.equal((await items.findOne({}))?.big, 2n ** 63n - 1n)
    })
  })
}
