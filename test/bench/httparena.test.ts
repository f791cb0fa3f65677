// Our HttpArena entry answers every request of its profiles exactly; who does not is refused before anything is timed.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { serve } from 'millrace/server'
import type { Running } from '../../bench/harness/contender.ts'
import { ask } from '../../bench/harness/load-request.ts'
import { requireAnswers } from '../../bench/harness/same-answer.ts'
import { DATASET, PROFILES, type ProfileName } from '../../bench/profiles.ts'
import { staticFolder } from '../../bench/static-data.ts'

const NAMES = Object.keys(PROFILES) as readonly ProfileName[]

function running(name: string, origin: string): Running {
  return { contender: { name, about: '', command: () => assert.fail() }, origin, pid: 0, stop: async () => {} }
}

describe('a profile of HttpArena', () => {
  for (const name of NAMES)
    test(`${name} is answered by our entry exactly`, async t => {
      process.env['DATASET_PATH'] = DATASET
      process.env['STATIC_PATH'] = staticFolder()
      const { default: app } = await import('../../bench/httparena/app.ts')
      const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false })
      t.after(() => server.close())
      await requireAnswers([running('millrace', server.url)], PROFILES[name]().expected)
    })

  test('static is a 404 for a file that is not there, and gives nothing outside of its folder', async t => {
    process.env['DATASET_PATH'] = DATASET
    process.env['STATIC_PATH'] = staticFolder()
    const { default: app } = await import('../../bench/httparena/app.ts')
    const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false })
    t.after(() => server.close())
    for (const path of ['nonexistent.txt', '', '..%2Fhello', 'app.js/', '../dataset.json', '.env'])
      assert.ok([400, 404].includes((await ask(server.url, { path: `/static/${path}` })).status), path)
  })

  test('is not answered by a constant, nor by a body that is compressed unasked', async t => {
    const server = createServer((request, response) => {
      request.resume()
      response.setHeader('content-type', 'text/plain').end('55')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const constant = running('constant', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    for (const name of NAMES)
      await assert.rejects(requireAnswers([constant], PROFILES[name]().expected), /constant answers/)
    const [first] = PROFILES.baseline().expected
    await requireAnswers([constant], [first!])
    await assert.rejects(requireAnswers([constant], [{ ...first!, coding: 'some' }]), /constant answers GET/)
  })

  test('with 10 requests a connection closes once for each kind of request', () => {
    const { requests } = PROFILES['limited-conn']()
    const closing = requests.flatMap(({ headers }, n) => (headers?.['Connection'] === 'close' ? [n] : []))
    assert.deepEqual(closing, [9, 19, 29])
    assert.equal(new Set(closing.map(n => n % 3)).size, 3)
  })
})
