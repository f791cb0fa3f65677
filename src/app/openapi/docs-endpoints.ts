// Serves the OpenAPI document and the docs pages with their files, as hidden endpoints of the app itself. Nothing on them calls out.
import type { Middleware } from '../compose.ts'
import { Answer } from '../answer.ts'
import { prefixOf } from '../below.ts'
import { HandlerView } from '../request-state.ts'
import { EndpointDefinition, type Group, type MountedRoute } from '../route.ts'
import { asset, type Asset, type AssetName, ready } from './docs-assets.ts'
import {
  oauth2RedirectPage,
  type PageLinks,
  REDOC_STYLE,
  redocPage,
  redocScript,
  type SwaggerClient,
  SWAGGER_STYLE,
  swaggerPage,
  swaggerScript,
} from './docs-pages.ts'
import type { ApiInfo, OpenApiDocument } from './document.ts'

/** Where each is served; false turns it off. Without a document there are no pages. */
export interface DocsPaths {
  /** Default '/openapi.json'. */
  openapi?: `/${string}` | false
  /** Swagger UI. Default '/docs'. */
  docs?: `/${string}` | false
  /** ReDoc. Default '/redoc'. */
  redoc?: `/${string}` | false
  /** The AsyncAPI document, of an app with WebSocket routes. Default '/asyncapi.json'. */
  asyncapi?: `/${string}` | false
}

/** `docs` of an app. */
export interface DocsOptions extends DocsPaths {
  /** As whom Swagger UI's Authorize asks for tokens; it fills in the form, and people may change it. */
  oauth?: SwaggerClient
}
export type DocsServed = Required<DocsPaths> & Pick<DocsOptions, 'oauth'>

export interface DocsSurroundings {
  /** Called once for each prefix under which the app is reached, at the first request for it. */
  readonly document: (outside: string) => OpenApiDocument
  /** The app's middleware: what guards the API guards its description. */
  readonly use: readonly Middleware[]
  /** Of the routes that it describes, where they have versions. */
  readonly version?: string | undefined
  /** Called once, at the first request for it; undefined where there is nothing to describe. */
  readonly asyncApi?: (() => object) | undefined
}

export function docsEndpoints(
  info: ApiInfo,
  paths: DocsServed,
  { document, use, version, asyncApi }: DocsSurroundings,
): MountedRoute[] {
  const { openapi } = paths
  const { asyncapi } = paths
  if (openapi === false && (asyncapi === false || asyncApi === undefined)) return []
  const group: Group = { prefix: '', tags: [], uses: {}, returns: {}, use }
  const routes: MountedRoute[] = []
  const serve = (
    path: string,
    content: (outside: string) => Promise<Asset>,
    fields: readonly string[] | (() => readonly string[]),
  ) => {
    const endpoint = new EndpointDefinition(
      'GET',
      path,
      { hidden: true },
      async (context: HandlerView) => {
        const asset = await content(prefixOf(HandlerView.state(context).exchange))
        return answer(context.request, asset, typeof fields === 'function' ? fields() : fields)
      },
      group,
    )
    routes.push({ endpoint, path, name: `GET ${path}`, groups: [group], version })
  }
  if (asyncapi !== false && asyncApi)
    serve(
      asyncapi,
      once('application/json', () => JSON.stringify(asyncApi())),
      REVALIDATED,
    )
  if (openapi === false) return routes
  const page = (path: string, of: Page) => {
    const links: PageLinks = {
      title: info.title ?? 'Millrace',
      openapi: relative(path, openapi),
      assets: path === '/' ? './' : `./${encodeURIComponent(path.split('/').at(-1)!)}/`,
    }
    const folder = path === '/' ? '' : path
    // At the first request, as the document is: where tokens come from is in there.
    let fields: readonly string[] | undefined
    const guarded = () =>
      (fields ??= [...REVALIDATED, 'content-security-policy', policy(info, document('')), ...GUARDS])
    serve(
      path,
      once(HTML, () => of.html(links)),
      guarded,
    )
    if (of.redirect)
      serve(
        `${folder}/oauth2-redirect`,
        once(HTML, () => of.redirect!()),
        guarded,
      )
    serve(
      `${folder}/page.js`,
      once(SCRIPT, () => of.script(links, openapi.split('/').length - 1, paths.oauth)),
      REVALIDATED,
    )
    serve(
      `${folder}/page.css`,
      once('text/css; charset=utf-8', () => of.style),
      REVALIDATED,
    )
    for (const name of of.assets) serve(`${folder}/${name}`, () => asset(name), KEPT)
  }
  serve(
    openapi,
    perPrefix(outside => once('application/json', () => JSON.stringify(document(outside)))),
    REVALIDATED,
  )
  if (paths.docs !== false) page(paths.docs, SWAGGER)
  if (paths.redoc !== false) page(paths.redoc, REDOC)
  return routes
}

interface Page {
  readonly html: (links: PageLinks) => string
  readonly script: (links: PageLinks, depth: number, oauth?: SwaggerClient) => string
  /** Where a login elsewhere sends the browser back to. */
  readonly redirect?: () => string
  readonly style: string
  readonly assets: readonly AssetName[]
}

const SWAGGER: Page = {
  html: swaggerPage,
  script: swaggerScript,
  style: SWAGGER_STYLE,
  redirect: oauth2RedirectPage,
  assets: ['swagger-ui.css', 'swagger-ui-bundle.js', 'oauth2-redirect.js', 'favicon.png'],
}
const REDOC: Page = {
  html: redocPage,
  script: redocScript,
  style: REDOC_STYLE,
  assets: ['redoc.standalone.js', 'favicon.png'],
}

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
// The document and the pages change with a deploy, the libraries with an update of Millrace.
const REVALIDATED = ['cache-control', 'no-cache', 'x-content-type-options', 'nosniff']
const KEPT = ['cache-control', 'public, max-age=3600', 'x-content-type-options', 'nosniff']
const GUARDS = ['referrer-policy', 'no-referrer', 'x-frame-options', 'DENY']

// Inline styles: both libraries set them while they run (ReDoc's are style elements that styled-components inserts). Scripts come from
// files alone, no eval; blob: is ReDoc's search worker. "Try it out" may call the servers that the app names, and Authorize whoever gives
// out its tokens.
function policy(info: ApiInfo, document: OpenApiDocument): string {
  const called = [...(info.servers ?? []).map(({ url }) => url), ...tokenUrls(document)].flatMap(url => {
    const origin = URL.canParse(url) ? new URL(url).origin : 'null'
    return origin === 'null' ? [] : [origin]
  })
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    'worker-src blob:',
    ['connect-src', "'self'", ...new Set(called)].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function tokenUrls({ components }: OpenApiDocument): readonly string[] {
  const schemes = Object.values(components.securitySchemes ?? {}) as {
    readonly openIdConnectUrl?: string
    readonly flows?: Readonly<Record<string, { readonly tokenUrl?: string; readonly refreshUrl?: string }>>
  }[]
  return schemes
    .flatMap(({ openIdConnectUrl, flows = {} }) => [
      openIdConnectUrl,
      ...Object.values(flows).flatMap(({ tokenUrl, refreshUrl }) => [tokenUrl, refreshUrl]),
    ])
    .filter(url => url !== undefined)
}

// A mount below a name has as many prefixes as clients think of.
const MOST_PREFIXES = 16

function perPrefix(make: (outside: string) => () => Promise<Asset>): (outside: string) => Promise<Asset> {
  const made = new Map<string, () => Promise<Asset>>()
  return outside => {
    const known = made.get(outside)
    if (known) return known()
    const fresh = make(outside)
    if (made.size < MOST_PREFIXES) made.set(outside, fresh)
    return fresh()
  }
}

/** Made at the first request; a failure is told and tried again. */
function once(type: string, make: () => string): () => Promise<Asset> {
  let made: Promise<Asset> | undefined
  return () => {
    if (!made) {
      const attempt = (made = (async () => ready(type, make()))())
      attempt.catch(() => (made = undefined))
    }
    return made
  }
}

function answer(request: Request, { type, plain, gzipped, etag }: Asset, fields: readonly string[]): Answer {
  // Not worth the bytes of a header below this; images are compressed already.
  const mayZip = gzipped.byteLength + 100 < plain.byteLength
  const isZipped = mayZip && takesGzip(request.headers.get('accept-encoding') ?? '')
  // Two encodings are two representations, and a strong tag must tell them apart (RFC 9110 §8.8.3.3).
  const tag = isZipped ? `"${etag}-gzip"` : `"${etag}"`
  const about = [...fields, 'etag', tag, ...(mayZip ? ['vary', 'accept-encoding'] : [])]
  const known = request.headers.get('if-none-match') ?? ''
  if (known === '*' || known.split(',').some(text => text.trim().replace(/^W\//, '') === tag))
    return new Answer(304, null, about)
  return new Answer(200, isZipped ? gzipped : plain, [
    'content-type',
    type,
    ...about,
    ...(isZipped ? ['content-encoding', 'gzip'] : []),
  ])
}

function takesGzip(accepts: string): boolean {
  return /(?:^|,)[ \t]*(?:gzip|x-gzip|\*)[ \t]*(?:$|,|;[ \t]*q=(?:1|0?\.\d*[1-9]))/i.test(accepts)
}

/** From a page to another path of the same app, whatever prefix a proxy puts before both. */
function relative(from: string, to: string): string {
  return './' + '../'.repeat(from.split('/').length - 2) + to.slice(1)
}
