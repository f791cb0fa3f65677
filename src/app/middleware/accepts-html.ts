// Whether a request is a browser's that opens a page: its Accept names HTML. Pure.

/** `*` and `text/*` do not count: scripts and API clients send those, and a page would be a wrong answer to them. */
export function acceptsHtml(field: string | undefined): boolean {
  if (field === undefined) return false
  return field.split(',').some(member => {
    const [type, ...parameters] = member.split(';').map(text => text.trim().toLowerCase())
    return (type === 'text/html' || type === 'application/xhtml+xml') && !parameters.some(isZero)
  })
}

function isZero(parameter: string): boolean {
  return /^q=0(?:\.0*)?$/.test(parameter)
}
