// How do dependencies clean up after themselves?
import { App, dependency, fail, HttpError } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Clean-up', version: '1.0.0' })
const journal: string[] = []

// What follows the yield is clean-up. It is over before the answer leaves, so a commit that fails is the answer.
const transaction = dependency(async function* () {
  const rows: string[] = []
  try {
    yield { write: (row: string) => void rows.push(row) }
    if (rows.includes('twice')) throw new HttpError(409, 'It is there already')
    journal.push(`commit ${rows.join(', ')}`)
  } catch (error) {
    journal.push('roll back')
    throw error // or another one, which is then the answer
  } finally {
    journal.push('close')
  }
})

// It uses the transaction: it is made after it and cleaned up before it. Beside each other they would be made at the same time.
const audit = dependency({ uses: { transaction } }, async function* ({ transaction }) {
  yield (what: string) => transaction.write(`audit of ${what}`)
  journal.push('audit closed')
})

app.post(
  '/rows/{name}',
  { params: z.object({ name: z.string() }), uses: { transaction, audit } },
  ({ params: { name }, transaction, audit }) => {
    transaction.write(name)
    audit(name)
    if (name === 'bad') fail(400, 'Not this one')
    return { written: name }
  },
)

app.get('/journal', () => journal.splice(0))

export default app
