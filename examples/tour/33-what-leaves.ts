// How do I keep keys out of an answer?
import { App, fail, sparse } from 'millrace'
import * as z from 'zod'

// In TypeScript a schema for each purpose is a line: what is stored, what a client sends, what it gets.
const Account = z.object({
  name: z.string().min(1),
  email: z.email(),
  passwordHash: z.string(),
  phone: z.string().nullable(),
  credits: z.int(),
})
const SignUp = Account.pick({ name: true, email: true }).extend({ password: z.string().min(8) })
const Profile = Account.omit({ passwordHash: true })
const Card = Profile.omit({ email: true })

const accounts = new Map<string, z.infer<typeof Account>>()
const params = z.object({ name: z.string() })
const find = (name: string) => accounts.get(name) ?? fail(404, 'Nobody of that name')

const app = new App({ title: 'What leaves', version: '1.0.0' })

// Handlers return what they have. Undeclared keys never leave, at any depth, and the compiler wants all the others.
app.post('/accounts', { body: SignUp, returns: { 201: Profile } }, ({ body }) => {
  const { password, ...given } = body
  const account = { ...given, passwordHash: `hash of ${password.length} letters`, phone: null, credits: 0 }
  accounts.set(account.name, account)
  return account
})

app.get('/accounts/{name}', { params, returns: Profile }, ({ params }) => find(params.name))

// What is null, or what its default says, is no key here; the document says that it may be absent.
app.get('/cards/{name}', { params, returns: sparse(Card) }, ({ params }) => find(params.name))

export default app
