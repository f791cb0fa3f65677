// npm start: the shop with two workers on port 8000, and a database of its own unless DATABASE_URL names one.
//
// What comes after `npm start --` goes to `millrace serve`: npm start -- --port 9000 --workers auto
import { fileURLToPath } from 'node:url'
import { run } from 'millrace/cli'
import { ADMIN_KEY_FILE, adminKey } from './admin-key.ts'

const given = process.argv.slice(2)
if (!process.env['SHOP_ADMIN_KEY'] && !given.includes('--help') && !given.includes('-h')) {
  await adminKey()
  process.stdout.write(`The shopkeeper's key, for X-API-Key, is in ${ADMIN_KEY_FILE}\n`)
}

const app = fileURLToPath(new URL('app.ts', import.meta.url))
const workers = process.env['WEB_CONCURRENCY'] ? [] : ['--workers', '2']
process.exit(await run(['serve', app, ...workers, ...given]))
