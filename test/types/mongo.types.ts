// What the compiler must make of collections, and what it must refuse. Checked by tsc: a line after @ts-expect-error that compiles is a failure.
import * as z from 'zod'
import { all, is, type MongoDatabase, type Stored, where } from '../../src/data/mongo/index.ts'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void
declare const db: MongoDatabase

export async function checks(): Promise<void> {
  const Review = z.object({ productId: z.int(), rating: z.int(), tags: z.array(z.string()), at: z.date() })
  const reviews = db.collection('reviews', Review)
  const found = await reviews.findOne({ productId: 7 })
  same<typeof found, Stored<typeof Review> | null>()
  if (found) {
    same<typeof found._id, string>()
    same<typeof found.at, Date>()
  }

  // ---- Filters: fields of the schema, with values of their types or operators for them ------------------------------------
  void reviews.find({ rating: is.gte(3), tags: 'oak', _id: 'x', at: is.between(new Date(), new Date()) })
  void reviews.find(all({ productId: 1 }, where('author.name', 'Ada')))
  // @ts-expect-error no such field
  void reviews.find({ stars: 3 })
  // @ts-expect-error a number
  void reviews.find({ rating: '3' })
  // @ts-expect-error operators are made by is
  void reviews.find({ rating: { $gte: 3 } })
  // @ts-expect-error compares another type
  void reviews.find({ rating: is.gte('3') })
  // @ts-expect-error undefined would be every document
  void reviews.find({ rating: undefined })
  // @ts-expect-error what a client sent is not known
  void reviews.find({ rating: JSON.parse('1') as unknown })

  // ---- Writing -------------------------------------------------------------------------------------------------------
  void reviews.insert({ productId: 1, rating: 5, tags: [], at: new Date() })
  // @ts-expect-error a field is missing
  void reviews.insert({ productId: 1, rating: 5, tags: [] })
  void reviews.updateOne({ _id: 'x' }, { set: { rating: 4 }, increment: { productId: 1 }, push: { tags: 'a' } })
  // @ts-expect-error no number
  void reviews.updateOne({ _id: 'x' }, { increment: { tags: 1 } })
  // @ts-expect-error no list
  void reviews.updateOne({ _id: 'x' }, { push: { rating: 1 } })

  // ---- An id of its own, and results of a pipeline -----------------------------------------------------------------------
  const settings = db.collection('settings', z.object({ _id: z.int(), value: z.string() }))
  void settings.insert({ _id: 1, value: 'x' })
  // @ts-expect-error a number
  void settings.findOne({ _id: 'x' })
  const sums = await reviews.aggregate([reviews.match({ productId: 1 })], {
    returns: z.object({ _id: z.int(), count: z.int() }),
  })
  same<typeof sums, { _id: number; count: number }[]>()
}
