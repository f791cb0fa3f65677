import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { App, html } from 'millrace'
import { templates } from 'millrace/templates'
import { onEachSeam, silent } from './support/seams.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-templates-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const views = join(folder, 'views')
const file = (name: string, text: string) => writeFileSync(join(views, name), text)
mkdirSync(join(views, 'orders'), { recursive: true })
file('hello.eta', '<h1>Hello <%= it.name %> of <%= it.site %></h1>')
file('raw.eta', '<%~ it.name %>')
file('orders/show.eta', "<% layout('../layout') %><p><%= it.id %></p>")
file('layout.eta', '<main><%~ it.body %></main>')
file('throws.eta', '<%= it.missing.name %>')
writeFileSync(join(folder, 'secret.eta'), 'secret')

describe('templates', () => {
  onEachSeam(
    'make pages of HTML, with what is put into them escaped',
    () => {
      const pages = templates({ directory: pathToFileURL(`${views}/`), globals: { site: 'A & B' } })
      const app = new App({ log: silent })
      app.get('/', { returns: html }, () => pages.render('hello', { name: '<script>"\'' }))
      app.get('/orders', { returns: html }, () => pages.render('orders/show', { id: 7 }))
      app.get('/throws', { returns: html }, () => pages.render('throws'))
      return app
    },
    async ask => {
      const answer = await ask('/')
      assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
      assert.equal(await answer.text(), '<h1>Hello &lt;script&gt;&quot;&#39; of A &amp; B</h1>')
      assert.equal(await (await ask('/orders')).text(), '<main><p>7</p></main>')
      const failed = await ask('/throws')
      assert.equal(failed.status, 500)
      assert.doesNotMatch(await failed.text(), /missing/)
    },
  )

  test('put in HTML as it is only where they say so', () => {
    assert.equal(templates({ directory: views }).render('raw', { name: '<b>' }), '<b>')
  })

  test('are read anew in development, and kept in production', () => {
    const [fresh, kept] = [true, false].map(reload => templates({ directory: views, reload }))
    file('changing.eta', 'one')
    assert.deepEqual([fresh!.render('changing'), kept!.render('changing')], ['one', 'one'])
    file('changing.eta', 'two')
    assert.deepEqual([fresh!.render('changing'), kept!.render('changing')], ['two', 'one'])
  })

  test('that are not there, or outside of the directory, are an error that says so', () => {
    const pages = templates({ directory: views })
    for (const name of ['nobody', '../secret', join(folder, 'secret'), '/etc/passwd'])
      assert.throws(() => pages.render(name), { code: 'APP_TEMPLATE_NOT_FOUND' }, name)
    assert.throws(() => templates({ directory: join(folder, 'nowhere') }), { code: 'APP_TEMPLATE_NOT_FOUND' })
  })

  test('that cannot be compiled stop the start, by name', () => {
    const broken = join(folder, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'bad.eta'), '<% if (it.a { %>x<% } %>')
    assert.throws(() => templates({ directory: broken }), { code: 'APP_TEMPLATE_BROKEN', message: /bad\.eta/ })
  })
})
