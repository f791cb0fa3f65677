// How do I do work after the answer?
import { setTimeout as sleep } from 'node:timers/promises'
import { App, dependency } from 'millrace'
import * as z from 'zod'

const sent = dependency({ scope: 'worker' }, () => ({ count: 0 }))

// A dependency may defer too. It is what the handler has not to think of.
const audit = dependency({ headers: z.object({ 'x-user': z.string() }) }, ({ headers, defer, log }) => {
  defer(() => log.info(`${headers['x-user']} wrote`))
})

const app = new App({ title: 'Background work', version: '1.0.0' })

// The client has its 202 before the first mail goes out. Tasks run one after the other; one that throws is logged, and the next runs.
app.post(
  '/mails',
  {
    body: z.object({ to: z.array(z.email()).min(1) }),
    returns: { 202: z.object({ accepted: z.int() }) },
    uses: { sent, audit },
  },
  ({ body, defer, sent }) => {
    for (const _address of body.to)
      defer(async () => {
        await sleep(20)
        sent.count++
      })
    return { accepted: body.to.length }
  },
)

// Nothing of a request that fails is done: the handler threw, so what it deferred is forgotten.
app.post('/mails/broken', { uses: { sent } }, ({ defer, sent }) => {
  defer(() => sent.count++)
  throw new Error('no such template')
})

app.get('/mails', { uses: { sent } }, ({ sent }) => ({ sent: sent.count }))

export default app
