// The files behind the docs pages: read from disk on the first request for each, kept ready to send, plain and gzipped.
//
// They are Swagger UI's and ReDoc's own, from this package (dist/assets), or from node_modules where Millrace runs from its sources.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** One file, ready to send. */
export interface Asset {
  readonly type: string
  readonly plain: Uint8Array
  readonly gzipped: Uint8Array
  readonly etag: string
}

/** Each asset by the name it has in dist/assets, and the module it is copied from. */
export const ASSET_SOURCES = {
  'swagger-ui.css': 'swagger-ui-dist/swagger-ui.css',
  'swagger-ui-bundle.js': 'swagger-ui-dist/swagger-ui-bundle.js',
  'oauth2-redirect.js': 'swagger-ui-dist/oauth2-redirect.js',
  'favicon.png': 'swagger-ui-dist/favicon-32x32.png',
  'redoc.standalone.js': 'redoc/bundles/redoc.standalone.js',
} as const
export type AssetName = keyof typeof ASSET_SOURCES

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  png: 'image/png',
}

const zip = promisify(gzip)
const loading = new Map<AssetName, Promise<Asset>>()

/** Read once per process; a failed read is tried again. */
export function asset(name: AssetName): Promise<Asset> {
  let found = loading.get(name)
  if (!found) {
    found = readFile(location(name)).then(bytes => ready(TYPES[name.split('.').at(-1)!]!, withoutOutside(name, bytes)))
    found.catch(() => loading.delete(name))
    loading.set(name, found)
  }
  return found
}

export async function ready(type: string, content: string | Uint8Array): Promise<Asset> {
  const plain = Buffer.from(content as string)
  const digest = createHash('sha256').update(plain).digest('base64url').slice(0, 22)
  // gzip runs on the thread pool: 1.7 MB of Swagger UI take some 90 ms that no other request should wait for.
  return { type, plain, gzipped: await zip(plain, { level: 9 }), etag: digest }
}

function location(name: AssetName): string | URL {
  const isBuilt = !import.meta.url.endsWith('.ts')
  if (isBuilt) return new URL(`../../assets/${name}`, import.meta.url)
  return createRequire(import.meta.url).resolve(ASSET_SOURCES[name])
}

// ReDoc's menu shows a logo from its maker's host. The page must not call out, so the image is an empty one; the link beside it stays.
// Its source map is not in the package either.
function withoutOutside(name: AssetName, bytes: Buffer): Uint8Array | string {
  if (name !== 'redoc.standalone.js') return bytes
  return bytes
    .toString('utf8')
    .replaceAll('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:,')
    .replace(/\n\/\/# sourceMappingURL=redoc\.standalone\.js\.map\s*$/, '\n')
}
