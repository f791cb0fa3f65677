// What the compiler must make of schemas, and what it must refuse. Checked by tsc: a line after @ts-expect-error that compiles is a failure.
import { Type as Type0 } from '@sinclair/typebox'
import { type as ark } from 'arktype'
import { Type } from 'typebox'
import * as v from 'valibot'
import * as z from 'zod'
import * as mini from 'zod/mini'
import * as z3 from 'zod/v3'
import type { FromJsonSchema, In, JsonSchema, Out, Schema } from '../../src/schema/schema.ts'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void
declare function takes<const S extends Schema>(schema: S): Out<S>

export function checks(): void {
  // ---- Zod: output in handlers, input on the wire ---------------------------------------------------------------------
  const Order = z.object({
    page: z.int().default(1),
    q: z.string().optional(),
    at: z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() }),
  })
  is<Out<typeof Order>, { page: number; q?: string | undefined; at: Date }>()
  is<In<typeof Order>, { page?: number | undefined; q?: string | undefined; at: string }>()
  const Length = z.string().transform(text => text.length)
  is<Out<typeof Length>, number>()
  is<In<typeof Length>, string>()
  const Mini = mini.object({ n: mini.optional(mini.number()) })
  is<Out<typeof Mini>, { n?: number | undefined }>()
  const Old = z3.object({ n: z3.number().default(1) })
  is<Out<typeof Old>, { n: number }>()
  is<In<typeof Old>, { n?: number | undefined }>()

  // ---- other Standard Schemas -----------------------------------------------------------------------------------------
  const Valibot = v.object({ n: v.number(), s: v.optional(v.string(), 'x') })
  is<Out<typeof Valibot>, { n: number; s: string }>()
  is<In<typeof Valibot>, { n: number; s?: string | undefined }>()
  const Ark = ark({ n: 'number', 's?': 'string' })
  is<Out<typeof Ark>, { n: number; s?: string }>()

  // ---- TypeBox, both lines --------------------------------------------------------------------------------------------
  const Box = Type.Object({
    n: Type.Integer(),
    s: Type.Optional(Type.String()),
    k: Type.Union([Type.Literal('a'), Type.Literal('b')]),
    l: Type.Array(Type.Object({ a: Type.Null() })),
  })
  is<Out<typeof Box>, { n: number; k: 'a' | 'b'; l: { a: null }[]; s?: string }>()
  const Box0 = Type0.Object({ n: Type0.Integer(), s: Type0.Optional(Type0.String()) })
  is<Out<typeof Box0>, { n: number; s?: string }>()

  // ---- literal JSON Schema --------------------------------------------------------------------------------------------
  const body = takes({
    type: 'object',
    properties: {
      n: { type: 'integer' },
      s: { type: ['string', 'null'] },
      k: { enum: ['a', 'b'] },
      l: { type: 'array', items: { type: 'boolean' } },
      o: { type: 'object' },
      u: { anyOf: [{ type: 'string' }, { const: 5 }] },
      m: {
        allOf: [
          { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] },
          { properties: { y: { type: 'null' } } },
        ],
      },
    },
    required: ['n', 'k'],
  })
  is<(typeof body)['n'], number>()
  is<(typeof body)['k'], 'a' | 'b'>()
  is<(typeof body)['s'], string | null | undefined>()
  is<(typeof body)['l'], boolean[] | undefined>()
  is<(typeof body)['o'], { [key: string]: unknown } | undefined>()
  is<(typeof body)['u'], string | 5 | undefined>()
  const m = body.m
  if (m) is<(typeof m)['x'], number>()
  is<FromJsonSchema<{ readonly $ref: '#/x' }>, unknown>()
  is<FromJsonSchema<{ readonly type: 'file' }>, unknown>()
  is<Out<JsonSchema>, unknown>()

  // ---- no schema, and no body -----------------------------------------------------------------------------------------
  is<Out<undefined>, undefined>()
  is<Out<null>, void>()
  is<In<null>, null>()

  // ---- what is a schema -----------------------------------------------------------------------------------------------
  const all: Schema[] = [
    Order,
    Length,
    Mini,
    Old,
    Valibot,
    Ark,
    Box,
    Box0,
    { type: 'object', properties: {}, required: [] },
  ]
  void all
  // @ts-expect-error a number is none
  takes(5)
  // @ts-expect-error a string is none
  takes('string')
  // @ts-expect-error an object without any keyword is none
  takes({ parms: z.int() })
  // @ts-expect-error a keyword of a wrong kind
  takes({ type: 5 })
  // @ts-expect-error nor is a function
  takes(() => 1)
  // @ts-expect-error the output is checked
  takes(Order).page = 'x'
}
