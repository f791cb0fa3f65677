// `npm start`: two workers over a database of their own, from nothing and again, and nothing is left when it stops.
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readPage } from '../docs/pages.ts'
import { eventually, isAlive, temporaryFolder } from '../data/support/server.ts'

const START = fileURLToPath(new URL('../../examples/shop/start.ts', import.meta.url))

// A drain waits for idle connections until their time-out, which is 5 s by default.
const FLAGS = ['--port', '0', '--host', '127.0.0.1', '--admin', 'off', '--keep-alive-timeout', '500ms']

const running = new Set<ChildProcess>()
after(() => {
  for (const child of running) child.kill('SIGKILL')
})

interface Started {
  readonly url: string
  readonly said: () => string
  /** Sends INT and waits. @returns the exit code */
  stop(): Promise<number | null>
}

async function start(folder: string, more: NodeJS.ProcessEnv = {}): Promise<Started> {
  const env = { ...process.env }
  for (const name of [
    'DATABASE_URL',
    'WEB_CONCURRENCY',
    'SHOP_ADMIN_KEY',
    'SHOP_TOKEN_SECRET',
    'SHOP_DEMO_PASSWORD',
    'SHOP_OUTBOX',
  ])
    delete env[name]
  const child = spawn(process.execPath, ['--conditions=millrace-source', START, ...FLAGS], {
    cwd: folder,
    env: { ...env, SHOP_SEED_PRODUCTS: '500', ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const exited = once(child, 'exit') as Promise<[number | null]>
  void exited.then(() => running.delete(child))
  const url = await eventually(() => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${said}`)
    return /2 workers.*ready/.test(said) ? /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] : undefined
  }, 170_000)
  return {
    url,
    said: () => said,
    async stop() {
      child.kill('SIGINT')
      return (await exited)[0]
    },
  }
}

const postgresOf = async (folder: string) =>
  Number((await readFile(join(folder, '.millrace/postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])

async function asJson(url: string, init?: RequestInit): Promise<{ status: number; body: any }> {
  // A connection of its own: one that is kept would often be on its way out, 500 ms after its last answer, when the next request meets it.
  const headers = { ...(init?.headers as Record<string, string> | undefined), connection: 'close' }
  const response = await fetch(url, { ...init, headers })
  return { status: response.status, body: await response.json() }
}

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

describe('npm start', () => {
  test('makes key, database and products once, sells on two workers, stops on INT and starts again', async () => {
    const folder = await temporaryFolder()
    const first = await start(folder)
    assert.match(first.said(), /put 500 products on the shelves/)

    const keyFile = join(folder, '.millrace/shop-admin-key')
    const key = (await readFile(keyFile, 'utf8')).trim()
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600)
    assert.ok(key.length >= 32)
    assert.ok(first.said().includes('.millrace/shop-admin-key') && !first.said().includes(key))

    // Connections go to either worker: what one sells, both must know of.
    const scarce = { name: 'Scarce', description: 'Few.', category: 'tests', priceCents: 500, stock: 5 }
    const { body: product } = await asJson(`${first.url}/products`, post(scarce, { 'x-api-key': key }))
    const buy = async (): Promise<number> => {
      const { body: cart } = await asJson(`${first.url}/carts`, post({}))
      await asJson(`${first.url}/carts/${cart.id}/items`, post({ productId: product.id, quantity: 1 }))
      return (await asJson(`${first.url}/orders`, post({ cartId: cart.id, email: 'ada@example.com' }))).status
    }
    await Promise.all(Array.from({ length: 20 }, () => asJson(`${first.url}/products/${product.id}`)))
    const statuses = await Promise.all(Array.from({ length: 30 }, buy))
    assert.deepEqual(statuses.toSorted(), [...Array(5).fill(201), ...Array(25).fill(409)])
    const reads = await Promise.all(Array.from({ length: 20 }, () => asJson(`${first.url}/products/${product.id}`)))
    assert.deepEqual(new Set(reads.map(({ body }) => body.stock)), new Set([0]))

    const postgres = await postgresOf(folder)
    assert.ok(isAlive(postgres))
    assert.equal(await first.stop(), 0, first.said())
    await eventually(() => !isAlive(postgres) || undefined)
    // Deferred mails were written before the workers ended.
    assert.equal((await readdir(join(folder, '.millrace/outbox'))).filter(name => name.endsWith('.eml')).length, 5)

    const second = await start(folder, { SHOP_DEMO_PASSWORD: 'correct horse' })
    assert.doesNotMatch(second.said(), /migrated|shelves/)
    assert.match(second.said(), /made an account for demo@example.com/)
    const secretFile = join(folder, '.millrace/shop-token-secret')
    assert.equal((await stat(secretFile)).mode & 0o777, 0o600)
    const login = new URLSearchParams({
      grant_type: 'password',
      username: 'demo@example.com',
      password: 'correct horse',
    })
    const { body: token } = await asJson(`${second.url}/token`, { method: 'POST', body: login })
    // Whichever worker gave it out, both know it.
    const headers = { authorization: `Bearer ${token.access_token}` }
    const known = await Promise.all(Array.from({ length: 20 }, () => asJson(`${second.url}/accounts/me`, { headers })))
    assert.deepEqual(new Set(known.map(({ body }) => body.email)), new Set(['demo@example.com']))
    assert.equal((await readFile(keyFile, 'utf8')).trim(), key)
    assert.equal((await asJson(`${second.url}/products/${product.id}`)).body.stock, 0)
    assert.equal(await second.stop(), 0, second.said())
  })

  test('answers every command of its README as the page says', async () => {
    const folder = await temporaryFolder()
    const shop = await start(folder)
    const [npmStart, ...blocks] = readPage('examples/shop/README.md').blocks.map(({ text }) => text)
    assert.equal(npmStart, 'npm start')
    // One shell for all: later blocks use what earlier ones have set. Lines, because each answer is one.
    const script = blocks
      .join('\n')
      .replaceAll('localhost:8000', shop.url.slice('http://'.length))
      .replaceAll(/\bcurl (?!.*\| field)/g, `curl -s -w '\\n' `)
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder })
    const answers = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, any>)
    const [list, found, product, review, reviews, cart, order, account, me, orders, added, changed] = answers
    assert.equal(answers.length, 12)
    assert.equal(list!['items'].length, 3)
    assert.ok(found!['items'].length > 0)
    assert.equal(product!['id'], 1)
    assert.deepEqual(reviews, { count: 1, average: 4, items: [review] })
    assert.equal(cart!['items'][0].productId, 2)
    assert.equal(order!['status'], 'placed')
    assert.equal(account!['email'], 'you@example.com')
    assert.deepEqual(me, account)
    assert.deepEqual(orders, { items: [], nextCursor: null })
    assert.equal(added!['name'], 'Rocking chair')
    assert.equal(changed!['stock'], 100)
    assert.equal(await shop.stop(), 0, shop.said())
  })

  test('takes the key from SHOP_ADMIN_KEY and writes none', async () => {
    const folder = await temporaryFolder()
    const shop = await start(folder, { SHOP_ADMIN_KEY: 'mine', SHOP_SEED_PRODUCTS: '0' })
    const lamp = { name: 'Lamp', description: 'd', category: 'tests', priceCents: 1, stock: 1 }
    assert.equal((await asJson(`${shop.url}/products`, post(lamp, { 'x-api-key': 'mine' }))).status, 201)
    assert.ok(!(await readdir(join(folder, '.millrace'))).includes('shop-admin-key'))
    assert.equal(await shop.stop(), 0, shop.said())
  })
})
