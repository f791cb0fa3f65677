// How do I serve a frontend?
import { App } from 'millrace'
import { compress, staticFiles } from 'millrace/middleware'

const app = new App({ title: 'Frontend', version: '1.0.0' })
app.use(compress())

// What a build has put into a folder. It comes after all routes; a page that only the browser's router knows gets the index.
app.use(
  staticFiles({
    directory: new URL('frontend/', import.meta.url),
    fallback: 'auto',
    cacheControl: path => (path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'),
  }),
)

// A second folder at a path of its own: the longest path wins.
app.use(staticFiles({ directory: new URL('../guide/files/', import.meta.url), path: '/downloads' }))

app.get('/api/products', () => [{ id: 7, name: 'Lamp' }])

export default app
