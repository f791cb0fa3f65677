// The cookies that a test client keeps between its requests, as a browser on one host would (RFC 6265 §5).

interface Kept {
  readonly name: string
  readonly value: string
  readonly path: string
  readonly expiresMs: number
}

export class CookieJar {
  readonly #kept = new Map<string, Kept>()

  /** @param path  of the request that was answered with these Set-Cookie lines */
  store(lines: readonly string[], path: string, nowMs: number = Date.now()): void {
    for (const line of lines) {
      const cookie = read(line, path, nowMs)
      if (!cookie) continue
      const key = `${cookie.path} ${cookie.name}`
      if (cookie.expiresMs <= nowMs) this.#kept.delete(key)
      else this.#kept.set(key, cookie)
    }
  }

  /** The Cookie field for a request, longer paths first; undefined where there is nothing to send. */
  field(path: string, nowMs: number = Date.now()): string | undefined {
    const sent = [...this.#kept.values()]
      .filter(cookie => cookie.expiresMs > nowMs && isBelow(path, cookie.path))
      .sort((a, b) => b.path.length - a.path.length)
    return sent.length === 0 ? undefined : sent.map(({ name, value }) => `${name}=${value}`).join('; ')
  }

  /** Name to value, whatever path they are for. */
  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#kept.values()].map(({ name, value }) => [name, value]))
  }

  set(name: string, value: string): void {
    this.#kept.set(`/ ${name}`, { name, value, path: '/', expiresMs: Infinity })
  }

  clear(): void {
    this.#kept.clear()
  }
}

// §5.2. Domain and Secure say nothing new to a client of one host that is asked over a connection in memory.
function read(line: string, requestPath: string, nowMs: number): Kept | undefined {
  const [pair, ...attributes] = line.split(';').map(part => part.trim())
  const equals = pair!.indexOf('=')
  if (equals < 1) return undefined
  let path = defaultPath(requestPath)
  let expiresMs = Infinity
  let hasMaxAge = false
  for (const attribute of attributes) {
    const at = attribute.indexOf('=')
    const name = (at < 0 ? attribute : attribute.slice(0, at)).toLowerCase()
    const value = at < 0 ? '' : attribute.slice(at + 1)
    if (name === 'path' && value.startsWith('/')) path = value
    else if (name === 'max-age' && /^-?\d+$/.test(value)) {
      hasMaxAge = true
      expiresMs = nowMs + Number(value) * 1000
    } else if (name === 'expires' && !hasMaxAge && !Number.isNaN(Date.parse(value))) expiresMs = Date.parse(value)
  }
  return { name: pair!.slice(0, equals), value: pair!.slice(equals + 1), path, expiresMs }
}

// §5.1.4.
function defaultPath(path: string): string {
  const last = path.lastIndexOf('/')
  return last < 1 ? '/' : path.slice(0, last)
}

function isBelow(path: string, of: string): boolean {
  return path === of || (path.startsWith(of) && (of.endsWith('/') || path[of.length] === '/'))
}
