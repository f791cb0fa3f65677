// The header that a name in a schema stands for: `'x-token'`, `xToken`, `x_token` and `'X-Token'` are all x-token.

/**
 * A name that begins in lower case may be written as JavaScript and Python write names: humps and underscores become hyphens, so that it
 * can be taken apart without quotes. A name with a hyphen, or one that begins in upper case, is the header's own.
 *
 * @returns in lower case
 */
export function headerName(name: string): string {
  if (name.includes('-') || !/^[a-z]/.test(name)) return name.toLowerCase()
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()
}
