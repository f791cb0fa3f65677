// The Date field, made at most a few times a second: formatting a date costs more than the rest of a small response head.

let line = ''

/** `Date: ...` with its line end. */
export function dateLine(): string {
  if (line === '') line = `Date: ${new Date().toUTCString()}\r\n`
  return line
}

/** Called by each engine's sweep: the next answer makes a new one. No timer of its own, so an idle process sleeps. */
export function expireDate(): void {
  line = ''
}
