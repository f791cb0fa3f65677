// The calls of a client that are named after methods: the typed client and that of the tests have the same ones.

/** @param call  asks for a path by a method, and gives what a call of the client gives */
export function methodCalls<I>(call: (method: string, path: string, input?: I) => unknown) {
  const by = (method: string) => (path: string, input?: I) => call(method, path, input)
  return {
    get: by('GET'),
    post: by('POST'),
    put: by('PUT'),
    patch: by('PATCH'),
    delete: by('DELETE'),
    head: by('HEAD'),
    options: by('OPTIONS'),
    query: by('QUERY'),
  }
}
