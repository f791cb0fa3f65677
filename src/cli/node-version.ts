// Which versions of Node can run Millrace. bin/millrace.js holds the same check in older JavaScript, for Nodes that cannot read this.

// 22.18: the first 22 that runs TypeScript without a flag.
const LEAST = [22, 18] as const

/** @param version  as process.versions.node, '22.18.0' */
export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])
}

export function tooOldNode(version: string): string {
  return `Millrace needs Node ${LEAST.join('.')} or newer, and this is Node ${version}.`
}
