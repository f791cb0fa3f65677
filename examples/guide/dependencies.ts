import { App, dependency, fail } from 'millrace'
import * as z from 'zod'

const journal: string[] = []

const pool = dependency({ scope: 'worker' }, async function* ({ log }) {
  log.info('pool opened')
  yield { begin: () => journal.push('begin') }
  log.info('pool closed')
})

const transaction = dependency({ scope: 'call', uses: { pool } }, async function* ({ pool }) {
  pool.begin()
  try {
    yield { write: (text: string) => journal.push(`write ${text}`) }
    journal.push('commit')
  } catch (error) {
    journal.push('roll back')
    throw error
  } finally {
    journal.push('release')
  }
})

const app = new App({ title: 'Dependencies', version: '1.0.0' })

app.put(
  '/notes/{name}',
  { params: z.object({ name: z.string() }), uses: { tx: transaction } },
  async ({ params, tx }) => {
    tx.write(params.name)
    if (params.name === 'bad') fail(409, 'Not this one')
    return { written: params.name }
  },
)

app.get('/journal', () => journal.splice(0))

export default app
