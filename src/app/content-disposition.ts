// Content-Disposition of an answer that is to be saved (RFC 6266), with a name in any script (RFC 8187). Pure.

/** What stands behind the last slash or backslash, without what could make it another name than it looks like. */
export function bareFilename(filename: string): string {
  return (
    filename
      .toWellFormed()
      .replace(/^.*[/\\]/s, '')
      // Controls, and the marks that turn the direction of text: 'exe.fdp' can be made to read 'pdf.exe'.
      .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '')
  )
}

/** @param filename  only what stands behind its last slash or backslash is used */
export function attachment(filename: string): string {
  const name = bareFilename(filename)
  if (name === '') return 'attachment'
  const plain = name.replace(/[^\x20-\x7e]/gu, '_')
  const quoted = `attachment; filename="${plain.replace(/["\\]/g, '\\$&')}"`
  // Some clients decode escapes in the plain form, so a name that holds what looks like one goes out in both.
  if (plain === name && !/%[\da-f]{2}/i.test(name)) return quoted
  const escaped = encodeURIComponent(name).replace(
    /['()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${quoted}; filename*=UTF-8''${escaped}`
}
