// Which media types become much smaller when they are compressed: text and what is like it.

// Images, audio, video, archives and fonts (woff2) are compressed already. Not text/event-stream: a thousand open streams would each hold
// a window of some 250 KiB.
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)[^;]+|application\/(?:[^;]*\+)?(?:json|xml|yaml)|application\/(?:javascript|ecmascript|x-ndjson|jsonl|json-seq|wasm|graphql|x-www-form-urlencoded|xhtml|rtf|sql|toml)|image\/(?:svg\+xml|bmp)|font\/(?:ttf|otf)|multipart\/mixed)\s*(?:;|$)/i

/** @param type  a Content-Type, parameters included */
export function isCompressibleType(type: string): boolean {
  return COMPRESSIBLE.test(type)
}
