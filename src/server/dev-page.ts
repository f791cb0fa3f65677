// What a browser is shown in development while the newest code cannot run: the same text as the terminal, with file and line. The page asks
// again and again, and loads itself anew when the code is mended, or broken in another way.

/** The field of a request by which the page asks: 204 when all is well, 503 with the error as text otherwise. */
export const DEV_QUESTION = 'millrace-dev'

/** Whether a person opens this in a browser; programs, and pages that are open already, go on with the old code. */
export function isNavigation(method: string, fetchDest: string | undefined): boolean {
  return method === 'GET' && fetchDest === 'document'
}

/** @param isServing  whether older code answers everything else */
export function devPage(message: string, isServing: boolean): string {
  const note = isServing
    ? 'The code before it still answers every request but this one, which a browser made to show a page.'
    : 'Nothing is served until it runs.'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The code does not run</title>
<style>
:root { color-scheme: light dark; --text: #1c1c1c; --quiet: #5c5c5c; --ground: #fff; --box: #fff4f2; --edge: #c62f17 }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececec; --quiet: #a8a8a8; --ground: #161616; --box: #2b1a17; --edge: #ff6f57 }
}
body { margin: 0; padding: 2rem 1.25rem; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 54rem; margin: 0 auto }
h1 { font-size: 1.25rem; margin: 0 0 1rem }
pre {
  margin: 0; padding: 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--box); border-left: 4px solid var(--edge); font: 14px/1.5 ui-monospace, monospace
}
p { color: var(--quiet) }
</style>
</head>
<body>
<main>
<h1>The code does not run</h1>
<pre id="error">${escaped(message)}</pre>
<p>${note} This page loads itself when the code is mended.</p>
</main>
<script>
const shown = ${JSON.stringify(message).replaceAll('<', '\\u003c')}
const ask = async () => {
  try {
    const answer = await fetch(location.href, { headers: { '${DEV_QUESTION}': '1' }, cache: 'no-store' })
    if (answer.status === 204 || (await answer.text()) !== shown) return location.reload()
  } catch {}
  setTimeout(ask, 300)
}
setTimeout(ask, 300)
</script>
</body>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
