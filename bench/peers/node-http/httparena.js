// The HttpArena profiles on Node's own server, routed and read by hand.
import { createReadStream, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const items = JSON.parse(readFileSync(process.env.DATASET_PATH, 'utf8'))
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const codings = { br: body => promisify(brotliCompress)(body, brotli), gzip: promisify(gzip) }

createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost')
  const { pathname, searchParams: query } = url
  if (pathname === '/baseline11') {
    const sum = Number(query.get('a')) + Number(query.get('b'))
    return text(response, request.method === 'POST' ? sum + Number(await whole(request)) : sum)
  }
  if (pathname === '/pipeline') return text(response, 'ok')
  if (pathname.startsWith('/json/')) return json(request, response, Number(pathname.slice(6)), Number(query.get('m')))
  if (pathname.startsWith('/static/')) return file(request, response, pathname.slice(8))
  if (pathname === '/upload') {
    let bytes = 0
    request.on('data', piece => (bytes += piece.length)).on('end', () => text(response, bytes))
    return
  }
  response.writeHead(404).end()
}).listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())

async function whole(request) {
  let body = ''
  for await (const piece of request.setEncoding('utf8')) body += piece
  return body
}

function text(response, value) {
  const body = String(value)
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body)
}

async function json(request, response, count, m) {
  const found = items.slice(0, count).map(item => ({ ...item, total: item.price * item.quantity * m }))
  const plain = JSON.stringify({ items: found, count })
  const coding = ['br', 'gzip'].find(name => request.headers['accept-encoding']?.includes(name))
  const body = coding && plain.length >= 1024 ? await codings[coding](plain) : plain
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  if (body !== plain) headers['content-encoding'] = coding
  response.writeHead(200, headers).end(body)
}

const types = {
  css: 'text/css',
  js: 'text/javascript',
  html: 'text/html',
  woff2: 'font/woff2',
  svg: 'image/svg+xml',
  webp: 'image/webp',
  json: 'application/json',
}

async function file(request, response, name) {
  if (name.includes('/') || name.includes('%')) return response.writeHead(404).end()
  const path = join(process.env.STATIC_PATH, name)
  const accepts = request.headers['accept-encoding'] ?? ''
  for (const [ending, coding] of [
    ['.br', 'br'],
    ['.gz', 'gzip'],
    ['', undefined],
  ]) {
    if (coding && !accepts.includes(coding)) continue
    const found = await stat(path + ending).catch(() => undefined)
    if (!found?.isFile()) continue
    const headers = {
      'content-type': types[extname(name).slice(1)] ?? 'application/octet-stream',
      'content-length': found.size,
      'last-modified': found.mtime.toUTCString(),
      etag: `"${found.size.toString(16)}-${found.mtimeMs.toString(16)}"`,
      vary: 'Accept-Encoding',
    }
    if (coding) headers['content-encoding'] = coding
    response.writeHead(200, headers)
    return createReadStream(path + ending).pipe(response)
  }
  response.writeHead(404).end()
}
