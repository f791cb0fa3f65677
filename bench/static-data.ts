// The folder that HttpArena mounts at /data/static, made anew: 20 files with its names, kinds and sizes, and beside each text its .gz and .br.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

export interface StaticFile {
  readonly name: string
  readonly mediaType: string
  readonly content: Buffer
  /** It has variants that were compressed before, and so is sent as one. */
  readonly isText: boolean
}

/** KiB by name: 743 of text and 99 of what is compressed already, as HttpArena's. */
const SIZES: Readonly<Record<string, number>> = {
  'reset.css': 8, 'layout.css': 16, 'theme.css': 24, 'components.css': 48, 'utilities.css': 32,
  'analytics.js': 12, 'helpers.js': 20, 'app.js': 60, 'vendor.js': 220, 'router.js': 40,
  'header.html': 120, 'footer.html': 55,
  'regular.woff2': 18, 'bold.woff2': 22,
  'logo.svg': 15, 'icon-sprite.svg': 70,
  'hero.webp': 45, 'thumb1.webp': 8, 'thumb2.webp': 6,
  'manifest.json': 3,
} // prettier-ignore

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  js: 'text/javascript',
  html: 'text/html',
  woff2: 'font/woff2',
  svg: 'image/svg+xml',
  webp: 'image/webp',
  json: 'application/json',
}
const BINARY = new Set(['woff2', 'webp'])

export function staticFiles(): readonly StaticFile[] {
  return Object.entries(SIZES).map(([name, kib]) => {
    const ending = name.split('.').at(-1)!
    const isText = !BINARY.has(ending)
    return {
      name,
      mediaType: TYPES[ending]!,
      isText,
      content: isText ? words(name, kib * 1024) : noise(name, kib * 1024),
    }
  })
}

/** @returns the folder; made once, because the highest levels of compression take their time */
export function staticFolder(): string {
  const folder = join(import.meta.dirname, '../.millrace/bench/static')
  if (existsSync(folder)) return folder
  // Under another name until it is whole: two may make it at once.
  const making = `${folder}-${process.pid}`
  mkdirSync(making, { recursive: true })
  for (const { name, content, isText } of staticFiles()) {
    writeFileSync(join(making, name), content)
    if (!isText) continue
    writeFileSync(join(making, `${name}.gz`), gzipSync(content, { level: 9 }))
    const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
    writeFileSync(join(making, `${name}.br`), brotliCompressSync(content, { params }))
  }
  try {
    renameSync(making, folder)
  } catch {
    rmSync(making, { recursive: true })
  }
  return folder
}

/** The same for every run: bytes that nothing compresses. */
function noise(seed: string, size: number): Buffer {
  const pieces = Array.from({ length: Math.ceil(size / 32) }, (_, n) =>
    createHash('sha256').update(`${seed} ${n}`).digest(),
  )
  return Buffer.concat(pieces).subarray(0, size)
}

/** Words that come again, as source has them: to about a fifth by gzip. */
function words(seed: string, size: number): Buffer {
  const dictionary = noise(seed, 512)
    .toString('hex')
    .match(/.{4,9}/g)!
  const choices = noise(`${seed} words`, Math.ceil(size / 4))
  let text = ''
  for (let n = 0; text.length < size; n++) {
    const choice = choices[n % choices.length]!
    text += choice < 40 ? `{ ${dictionary[choice]}: 0 };\n` : `${dictionary[choice % 64]} `
  }
  return Buffer.from(text.slice(0, size))
}
