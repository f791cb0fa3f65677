// How do I talk to a client both ways?
import { App, dependency, fail } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'WebSockets', version: '1.0.0' })

// Before the socket opens a refusal is an ordinary answer: 401 here, 422 for a bad query, 426 for a plain GET.
const player = dependency({ query: z.object({ token: z.string() }) }, ({ query }) =>
  query.token === 'secret' ? { name: 'Ada' } : fail(401, 'Who are you?'),
)

const Guess = z.object({ number: z.int().min(1).max(100) })
const Hint = z.object({ hint: z.enum(['higher', 'lower', 'right']), guesses: z.int(), player: z.string() })

// The handler runs once for each socket. A message that `receives` does not take closes it with 1008; with `onInvalid: 'tell'` it is
// answered with a problem document instead. What `sends` does not declare never leaves.
export const game = app.ws(
  '/game/{secret}',
  { params: z.object({ secret: z.int() }), uses: { player }, receives: Guess, sends: Hint, onInvalid: 'tell' },
  async ({ socket, params, player }) => {
    let guesses = 0
    // Ends when the client leaves, and when the server goes away (it says 1001).
    for await (const { number } of socket) {
      guesses++
      const hint = number < params.secret ? 'higher' : number > params.secret ? 'lower' : 'right'
      // Waits while the client is slow: nothing piles up.
      await socket.send({ hint, guesses, player: player.name })
      if (hint === 'right') return socket.close(1000, 'well done')
    }
  },
)

export default app
