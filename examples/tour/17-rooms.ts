// How do I tell many clients at once?
import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Rooms', version: '1.0.0' })

const params = z.object({ room: z.string().max(40) })
const Said = z.object({ text: z.string().min(1).max(500) })
const Event = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['joined', 'left']), name: z.string() }),
  z.object({ kind: z.literal('said'), name: z.string(), text: z.string() }),
  z.object({ kind: z.literal('notice'), text: z.string() }),
])

// A room is a name. Everybody in it gets what is published to it, whichever worker their socket is in.
export const chat = app.ws(
  '/chat/{room}',
  {
    params,
    query: z.object({ name: z.string().min(1).max(20) }),
    receives: Said,
    sends: Event,
    maxMessagesPerSecond: 10,
  },
  async ({ socket, params: { room }, query: { name } }) => {
    socket.publish(room, { kind: 'joined', name })
    socket.join(room)
    for await (const { text } of socket) socket.publish(room, { kind: 'said', name, text }, { except: socket })
    // The client has left, and with it the room.
    socket.publish(room, { kind: 'left', name })
  },
)

// From anywhere else: the route is a value.
app.post('/chat/{room}/notices', { params, body: Said, returns: { 204: null } }, ({ params, body }) => {
  chat.publish(params.room, { kind: 'notice', text: body.text })
})

export default app
