// Writes an application of many routes, 30 to a file, as an author would write them; the same schemas without routes, because what they
// cost is not ours to answer for; and clients of the application.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * routes: endpoints with params, query, body, two responses and two dependencies.
 * outputs: the same schemas with `z.output` of each read: the floor that no framework can go below.
 * client: the routes, and a client of all that calls one of them.
 * calls: the routes, and a client of all that calls CALLS more of them and narrows the answers.
 */
export type Kind = 'routes' | 'outputs' | 'client' | 'calls'

/** Routes called by a client of kind `calls`, beyond the one of kind `client`. */
export const CALLS = 50

const ROUTES_PER_FILE = 30

/** @param folder  emptied first */
export function generate(folder: string, routes: number, kind: Kind, compilerOptions: object): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (let first = 0; first < routes; first += ROUTES_PER_FILE) {
    const numbers = Array.from({ length: Math.min(ROUTES_PER_FILE, routes - first) }, (_, n) => first + n)
    const text = numbers.map(n => schemas(n) + (kind === 'outputs' ? outputs(n) : route(n)))
    const imports = kind !== 'outputs' ? `import { app, db, user, Problem } from './shared.ts'\n` : ''
    writeFileSync(
      join(folder, `r${first / ROUTES_PER_FILE}.ts`),
      `import * as z from 'zod'\n${imports}${text.join('')}`,
    )
  }
  if (kind !== 'outputs') writeFileSync(join(folder, 'shared.ts'), SHARED)
  if (kind === 'client' || kind === 'calls') {
    const modules = Array.from(
      { length: Math.ceil(routes / ROUTES_PER_FILE) },
      (_, n) => `export * from './r${n}.ts'\n`,
    )
    writeFileSync(join(folder, 'all.ts'), modules.join(''))
    const called = Array.from({ length: kind === 'calls' ? 1 + CALLS : 1 }, (_, n) => call(n))
    writeFileSync(join(folder, 'client.ts'), CLIENT + called.join(''))
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }, null, 2))
}

const PARAMS = `z.object({ id: z.int().positive() })`
const QUERY = `z.object({ page: z.int().default(1), q: z.string().optional() })`

const schemas = (n: number) => `
const Body${n} = z.object({ name: z.string().min(1), price: z.number().positive(), stock: z.int(), tags: z.array(z.string()) })
const Item${n} = z.object({ id: z.int(), name: z.string(), price: z.number(), stock: z.int() }).meta({ id: 'Item${n}' })
`

const route = (n: number) => `
export const route${n} = app.post('/things${n}/{id}', {
  params: ${PARAMS},
  query: ${QUERY},
  body: Body${n},
  returns: { 200: Item${n}, 404: Problem },
  uses: { db, user },
  timeout: '2s',
}, async ({ params, query, body, db, user, reply }) => {
  const row = await db.find(params.id, query.page, user.id)
  return row ? { id: params.id, name: body.name, price: body.price, stock: body.stock } : reply(404, { title: 'none' })
})
`

const outputs = (n: number) => `
const P${n} = ${PARAMS}
const Q${n} = ${QUERY}
export const f${n} = (p: z.output<typeof P${n}>, q: z.output<typeof Q${n}>, b: z.output<typeof Body${n}>): z.output<typeof Item${n}> =>
  ({ id: p.id + q.page, name: b.name, price: b.price, stock: b.stock })
`

const CLIENT = `import { client } from 'millrace/client'
import type * as routes from './all.ts'
const api = client<typeof routes>('https://api.example')
`

const call = (n: number) => `
const answer${n} = await api.post('/things${n}/{id}', {
  params: { id: ${n} }, query: { page: 1 }, body: { name: 'x', price: 1, stock: 1, tags: [] }, headers: { authorization: 'x' },
})
if (answer${n}.status === 200) answer${n}.body.name satisfies string
else answer${n}.body.title satisfies string
`

const SHARED = `import * as z from 'zod'
import { App, dependency, fail } from 'millrace'

export const app = new App({ title: 'Bench', version: '1' })
export const Problem = z.object({ title: z.string() })

interface Pool {
  find(id: number, page: number, user: string): Promise<{ name: string } | null>
  userByToken(token: string): Promise<{ id: string } | null>
}
declare function connect(): Promise<Pool>

export const db = dependency({ scope: 'worker' }, async function* () { yield await connect() })
export const user = dependency(
  { uses: { db }, headers: z.object({ authorization: z.string() }) },
  async ({ db, headers }) => (await db.userByToken(headers.authorization)) ?? fail(401))
`
