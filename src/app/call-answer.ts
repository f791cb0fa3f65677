// A call's answer read whole: null for no body, a value for JSON, a string for text, a Blob for anything else.

/** @throws SyntaxError for a body that is not the JSON it says to be; what the body throws when it is cut */
export async function answerBody(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? ''
  if (isJson(type)) {
    const text = await response.text()
    return text === '' ? null : (JSON.parse(text) as unknown)
  }
  if (type === '' || type.startsWith('text/')) return (await response.text()) || null
  const blob = await response.blob()
  return blob.size === 0 ? null : blob
}

export function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)
}
