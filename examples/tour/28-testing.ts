// How do I test an app?
import assert from 'node:assert/strict'
import { App, dependency } from 'millrace'
import { testClient } from 'millrace/testing'
import * as z from 'zod'

export const dice = dependency({ scope: 'worker' }, () => ({ roll: () => 1 + Math.floor(Math.random() * 6) }))

// A function, so that each test has an app of its own.
export function makeApp() {
  const app = new App({ title: 'Testing', version: '1.0.0' })
  const roll = app.post(
    '/rolls',
    {
      body: z.object({ times: z.int().min(1).max(10) }),
      returns: { 200: z.object({ sum: z.int() }) },
      uses: { dice },
    },
    ({ body, dice }) => {
      let sum = 0
      for (let n = 0; n < body.times; n++) sum += dice.roll()
      return { sum }
    },
  )
  return { app, roll }
}

// In a file of its own: `test('rolls are added up', async () => { ... })` of node:test, or of any other runner.
export async function rollsAreAddedUp(): Promise<void> {
  const { app, roll } = makeApp()
  // In the place of chance, before the app starts.
  app.override(dice, { roll: () => 4 })
  // Through the real parser and encoder, over a connection in memory. The app starts with the first call.
  const api = testClient(app, { errors: 'throw' })
  const answer = await api.call(roll, { body: { times: 3 } })
  assert.ok(answer.status === 200) // the compiler knows `body` from here on
  assert.equal(answer.body.sum, 12)
  const refused = await api.call(roll, { body: { times: 0 } })
  assert.ok(refused.status === 422)
  assert.deepEqual(refused.body.errors[0]?.loc, ['body', 'times'])
  // Stops the app: lifespan, worker-scoped dependencies, and what was deferred.
  await api.close()
}

export default makeApp().app
