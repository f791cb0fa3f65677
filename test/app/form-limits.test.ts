// What a form may not exceed, whatever its route lets a body have: FEATURES 1.2, "Form limits" and "Multipart errors".
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import * as z from 'zod'
import { App } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

const make = (errorFormat: 'problem' | 'fastapi') => () => {
  const app = new App({ log: silent, errorFormat })
  app.post(
    '/',
    { form: z.object({ a: z.string().optional() }), files: {}, maxBodyBytes: 4 * 2 ** 20 },
    ({ form }) => form.a?.length ?? 0,
  )
  return app
}

const urlencoded = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
})
const multipart = (...fields: readonly [string, string][]): RequestInit => {
  const body = new FormData()
  for (const [name, value] of fields) body.append(name, value)
  return { method: 'POST', body }
}
const MOST = 'x'.repeat(2 ** 20)

describe('a form', () => {
  for (const [format, status] of [
    ['problem', 413],
    ['fastapi', 400],
  ] as const) {
    onEachSeam(`has at most 1 MiB in one text, however it is written (${format})`, make(format), async ask => {
      const detail = async (answer: Response) => {
        assert.equal(answer.status, status)
        return ((await answer.json()) as { detail: string }).detail
      }
      assert.equal(await (await ask('/', urlencoded(`a=${MOST}`))).json(), 2 ** 20)
      assert.equal(await (await ask('/', multipart(['a', MOST]))).json(), 2 ** 20)
      assert.equal(await detail(await ask('/', urlencoded(`a=${MOST}x`))), 'Field exceeded maximum size of 1024KB.')
      assert.equal(await detail(await ask('/', multipart(['a', `${MOST}x`]))), 'Part exceeded maximum size of 1024KB.')
    })

    onEachSeam(`has at most 1,000 fields (${format})`, make(format), async ask => {
      assert.equal((await ask('/', urlencoded('a=&'.repeat(1000)))).status, 200)
      const answer = await ask('/', urlencoded('a=&'.repeat(1001)))
      assert.equal(answer.status, status)
      assert.match(await answer.text(), /Too many fields\. Maximum number of fields is 1000\./)
    })
  }
})
