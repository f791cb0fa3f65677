// The key of the shopkeeper: SHOP_ADMIN_KEY, or one that is made once and kept in a file which only its owner can read.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { dependency, HttpError, type Middleware } from 'millrace'
import * as z from 'zod'

/** Relative to the working directory. */
export const ADMIN_KEY_FILE = '.millrace/shop-admin-key'

/** The same for all workers and all starts: whoever comes first makes it. */
export async function adminKey(): Promise<string> {
  const given = process.env['SHOP_ADMIN_KEY']
  if (given) return given
  return (await readKey()) ?? makeKey()
}

async function readKey(): Promise<string | undefined> {
  try {
    return (await readFile(ADMIN_KEY_FILE, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function makeKey(): Promise<string> {
  await mkdir(dirname(ADMIN_KEY_FILE), { recursive: true })
  const draft = `${ADMIN_KEY_FILE}.${process.pid}`
  await writeFile(draft, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 })
  try {
    // Unlike a rename, a link fails where there is a file already: then another process was quicker, and its key counts.
    await link(draft, ADMIN_KEY_FILE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return (await readKey())!
}

const expected = dependency({ scope: 'worker', name: 'admin key' }, async () => digest(await adminKey()))

/** For routes that only the shopkeeper may use: asks for the header X-API-Key and ends the request with 401 without the right one. */
export const shopkeeper = dependency(
  {
    name: 'shopkeeper',
    uses: { expected },
    headers: z.object({ 'x-api-key': z.string().optional().describe('The value of SHOP_ADMIN_KEY') }),
    returns: { 401: null },
  },
  ({ expected, headers }) => {
    const given = headers['x-api-key']
    if (given === undefined) throw unauthorized('The header X-API-Key is missing')
    if (!timingSafeEqual(digest(given), expected)) throw unauthorized('This X-API-Key is not valid')
  },
)

/** Around the same routes: whoever shows no key is told so before the body is read, let alone judged. */
export const keyFirst: Middleware = ({ headers }, next) => {
  if (!headers.has('x-api-key')) throw unauthorized('The header X-API-Key is missing')
  return next()
}

function unauthorized(why: string): HttpError {
  return new HttpError(401, why, { headers: { 'www-authenticate': 'ApiKey realm="shop"' } })
}

// Equal lengths whatever was sent, so that the comparison takes the same time for every wrong key.
function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
