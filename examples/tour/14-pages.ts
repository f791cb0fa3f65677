// How do I serve pages of HTML?
import { App, content, html } from 'millrace'
import { templates } from 'millrace/templates'
import * as z from 'zod'

const app = new App({ title: 'Pages', version: '1.0.0' })

// Compiled once, in development again whenever a file has changed. What is put into a template is escaped.
const pages = templates({ directory: new URL('./pages/', import.meta.url), globals: { site: 'The Harbour' } })

// `html` in `returns` says what the answer is: a string goes out as text/html, and the document says so.
app.get('/hello', { query: z.object({ name: z.string() }), returns: html }, ({ query }) =>
  pages.render('hello', { name: query.name }),
)

// As a function it makes such an answer, with a status or fields of its own.
app.get('/gone', { returns: { 410: html } }, () => html(pages.render('gone', {}), { status: 410 }))

// Any other media type.
app.get('/badge/{text}', { returns: content('image/svg+xml') }, ({ params }) =>
  pages.render('badge.svg.eta', { text: params.text }),
)

export default app
