// The two docs pages as HTML and script: Swagger UI and ReDoc, light or dark as the reader's system is, with relative URLs only.

/** What a page needs to know of the others; URLs relative to the page. */
export interface PageLinks {
  readonly title: string
  readonly openapi: string
  /** Folder of the page's files, with its slash. */
  readonly assets: string
}

/** A client as the authorization server knows it. */
export interface SwaggerClient {
  readonly clientId: string
  /** Sent to every reader of the page: only for try-out clients. */
  readonly clientSecret?: string
  /** Ticked from the beginning. */
  readonly scopes?: readonly string[]
  /** Proof Key for Code Exchange, for the authorization code flow. Default true. */
  readonly pkce?: boolean
}

export function swaggerPage({ title, assets }: PageLinks): string {
  return page(
    title,
    `<link rel="icon" type="image/png" href="${attribute(assets)}favicon.png">
<link rel="stylesheet" href="${attribute(assets)}swagger-ui.css">
<link rel="stylesheet" href="${attribute(assets)}page.css">`,
    `<div id="swagger-ui"></div>
<script src="${attribute(assets)}swagger-ui-bundle.js"></script>
<script src="${attribute(assets)}page.js"></script>`,
  )
}

// The page reads the document itself: behind a path prefix that a proxy takes off, "/" in servers is not where the API is, and only the
// browser knows the prefix.
export function swaggerScript({ openapi, assets }: PageLinks, depth: number, oauth?: SwaggerClient): string {
  return `${FOLLOW_SYSTEM}
follow(isDark => document.documentElement.classList.toggle('dark-mode', isDark))

${READ_DOCUMENT(openapi, depth)}
read().then(spec => {
  window.ui = SwaggerUIBundle({
    spec,
    dom_id: '#swagger-ui',
    deepLinking: true,
    showExtensions: true,
    showCommonExtensions: true,
    displayRequestDuration: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
    oauth2RedirectUrl: new URL(${JSON.stringify(`${assets}oauth2-redirect`)}, location.href).href,
  })${
    oauth
      ? `
  window.ui.initOAuth(${JSON.stringify(initOAuth(oauth))})`
      : ''
  }
}, failed)
`
}

function initOAuth({ clientId, clientSecret, scopes, pkce = true }: SwaggerClient): object {
  return { clientId, clientSecret, scopes, usePkceWithAuthorizationCodeGrant: pkce }
}

/** Hands what the authorization server said to the page that opened it, and closes. */
export function oauth2RedirectPage(): string {
  return page('Authorization', '', '<script src="oauth2-redirect.js"></script>')
}

// On a phone the column of links goes: our documents have none, and the table is wider than the page with it.
export const SWAGGER_STYLE = `html { overflow-y: scroll }
body { margin: 0; background: #fafafa }
html.dark-mode body { background: #1c2022 }
html.dark-mode .swagger-ui table.headers td { color: inherit }
@media (max-width: 640px) {
  .swagger-ui .opblock .opblock-section-header { flex-wrap: wrap; gap: 8px; height: auto }
  .swagger-ui .opblock .opblock-section-header .btn { margin: 0 }
  .swagger-ui .try-out { flex-wrap: wrap; padding-right: 0 }
  .swagger-ui .parameters-col_description input, .swagger-ui .parameters-col_description select { max-width: 100%; min-width: 0 }
  .swagger-ui .response-col_links { display: none }
  .swagger-ui .highlight-code { padding-bottom: 40px; background: #333; border-radius: 4px }
}
.failed { font: 1rem/1.5 system-ui, sans-serif; padding: 2rem; color: #b00020 }
`

export function redocPage({ title, assets }: PageLinks): string {
  return page(
    title,
    `<link rel="icon" type="image/png" href="${attribute(assets)}favicon.png">
<link rel="stylesheet" href="${attribute(assets)}page.css">`,
    `<div id="redoc"></div>
<script src="${attribute(assets)}redoc.standalone.js"></script>
<script src="${attribute(assets)}page.js"></script>`,
  )
}

export function redocScript({ openapi }: PageLinks, depth: number): string {
  return `${FOLLOW_SYSTEM}
const system = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
const mono = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace'
const theme = isDark => ({
  typography: {
    fontFamily: system,
    headings: { fontFamily: system, fontWeight: '600' },
    code: { fontFamily: mono, ...(isDark ? { color: '#ffb4a8', backgroundColor: '#2b3138' } : {}) },
    ...(isDark ? { links: { color: '#7ab8ff', visited: '#7ab8ff', hover: '#a8d1ff' } } : {}),
  },
  ...(isDark
    ? {
        colors: {
          primary: { main: '#7ab8ff' },
          text: { primary: '#e4e6e6', secondary: '#a9b1b8' },
          border: { dark: '#4a5259', light: '#3a4148' },
          gray: { 50: '#22272b', 100: '#2b3138' },
          http: { get: '#38804f', post: '#3d74b0', put: '#8a6d3b', patch: '#8a6d3b', delete: '#b04a4a' },
          responses: {
            success: { color: '#7ed6a0', backgroundColor: '#1f3329' },
            error: { color: '#ff9c94', backgroundColor: '#3a2424' },
            redirect: { color: '#f2c97d', backgroundColor: '#36301f' },
            info: { color: '#8fc7ff', backgroundColor: '#20303f' },
          },
        },
        sidebar: { backgroundColor: '#22272b', textColor: '#e4e6e6' },
        schema: { linesColor: '#5a636b', nestedBackground: '#22272b', typeNameColor: '#a9b1b8', typeTitleColor: '#a9b1b8', requireLabelColor: '#ff9c94' },
        rightPanel: {
          backgroundColor: '#14181b',
          textColor: '#e4e6e6',
          servers: { overlay: { backgroundColor: '#22272b', textColor: '#e4e6e6' }, url: { backgroundColor: '#14181b' } },
        },
      }
    : {}),
})

${READ_DOCUMENT(openapi, depth)}
read().then(spec => {
  follow(isDark => {
    document.documentElement.classList.toggle('dark-mode', isDark)
    Redoc.init(spec, { theme: theme(isDark), hideDownloadButton: true }, document.getElementById('redoc'))
  })
}, failed)
`
}

// Colours that ReDoc writes into its styles and no theme reaches. Its class names change with every version, so places are told by shape;
// the browser test measures every text.
export const REDOC_STYLE = `body { margin: 0; background: #fff }
html.dark-mode { color-scheme: dark }
html.dark-mode body { background: #1c2022 }
html.dark-mode h5 { color: #a9b1b8 !important; border-color: #4a5259 !important }
html.dark-mode h5 span, html.dark-mode caption { color: inherit !important }
html.dark-mode table { color: #e4e6e6 }
html.dark-mode td[colspan] > div { background-color: #22272b !important }
html.dark-mode .react-tabs__tab--selected, html.dark-mode span + div > button { color: #10171d !important }
html.dark-mode div:has(> select) { background-color: #2b3138 !important }
html.dark-mode .menu-content label { color: #e4e6e6 !important }
html.dark-mode td div > span + span + span { color: #6cc3cb }
.failed { font: 1rem/1.5 system-ui, sans-serif; padding: 2rem; color: #b00020 }
`

const FOLLOW_SYSTEM = `const follow = apply => {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  dark.addEventListener('change', () => apply(dark.matches))
  apply(dark.matches)
}`

const READ_DOCUMENT = (openapi: string, depth: number) => `const read = async () => {
  const url = new URL(${JSON.stringify(openapi)}, location.href)
  const response = await fetch(url)
  if (!response.ok) throw new Error(url.pathname + ' answered ' + response.status)
  const spec = await response.json()
  const prefix = url.pathname.split('/').slice(0, -${depth}).join('/')
  if (spec.servers.length === 1 && spec.servers[0].url === '/') {
    if (prefix) spec.servers[0].url = prefix
    for (const { flows } of Object.values(spec.components.securitySchemes ?? {}))
      for (const flow of Object.values(flows ?? {}))
        for (const name of ['authorizationUrl', 'tokenUrl', 'refreshUrl'])
          if (flow[name]?.startsWith('/')) flow[name] = new URL(prefix + flow[name], location.href).href
  }
  return spec
}
const failed = error => {
  document.body.className = 'failed'
  document.body.textContent = 'The API description could not be shown: ' + error.message
}`

function page(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${attribute(title)}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
