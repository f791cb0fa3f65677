// What `millrace ctl` and a server say to each other over the control socket: one line of JSON asks, one line answers.
//
//   > {"command":"scale","by":1}
//   < {"ok":true,"result":{"workers":3}}
//   > {"command":"drain","worker":9}
//   < {"ok":false,"error":{"code":"CONTROL_NO_WORKER","message":"there is no worker 9; there are 1, 2 and 3"}}
//
// A connection may ask again when it has its answer. Pure: no I/O.
import { MillraceError } from '../core/error.ts'

/** A command was not understood, or could not be done. The message is complete: it is printed without a stack. */
export class ControlError extends MillraceError {}

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'reload' }
  | { readonly command: 'scale'; readonly to: number }
  | { readonly command: 'scale'; readonly by: number }
  | { readonly command: 'drain'; readonly worker: number }
  | { readonly command: 'heap-snapshot'; readonly worker: number; readonly file: string }
  | { readonly command: 'cpu-profile'; readonly worker: number; readonly file: string; readonly seconds: number }
  | { readonly command: 'purge'; readonly tags: readonly string[] }
  | { readonly command: 'upgrade' }
  | { readonly command: 'stop'; readonly quick: boolean }

export type ControlAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } }

/** Longer lines are no command. An answer may be longer: a status has a line for each worker. */
export const MOST_REQUEST_BYTES = 16 * 1024

/** A profile of five minutes is some 30 MB; nobody reads a longer one. */
export const MOST_PROFILE_SECONDS = 300

/** In one request to forget. */
export const MOST_TAGS = 100
const LONGEST_TAG = 1_000

const isWhole = (found: unknown, from: number, to: number): found is number =>
  Number.isSafeInteger(found) && (found as number) >= from && (found as number) <= to

/** @throws ControlError `CONTROL_BAD_REQUEST`, for whatever else the line may hold */
export function readRequest(line: string): ControlRequest {
  let found: unknown
  try {
    found = JSON.parse(line)
  } catch {
    throw bad('a line that is not JSON')
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw bad('no JSON object')
  const { command, ...rest } = found as Record<string, unknown>
  if (typeof command !== 'string' || !Object.hasOwn(READERS, command))
    throw bad(`the command ${JSON.stringify(command) ?? 'undefined'}; there are ${Object.keys(READERS).join(', ')}`)
  return READERS[command as ControlRequest['command']](rest)
}

type Members = Readonly<Record<string, unknown>>

const READERS: Readonly<Record<ControlRequest['command'], (found: Members) => ControlRequest>> = {
  status: () => ({ command: 'status' }),
  reload: () => ({ command: 'reload' }),
  scale: ({ to, by }) => {
    if ((to === undefined) === (by === undefined)) throw bad('scale without one of `to` and `by`')
    if (to !== undefined) return { command: 'scale', to: whole('to', to, 1, 1024) }
    return { command: 'scale', by: whole('by', by, -1024, 1024) }
  },
  drain: ({ worker }) => ({ command: 'drain', worker: workerOf(worker) }),
  'heap-snapshot': ({ worker, file }) => ({ command: 'heap-snapshot', worker: workerOf(worker), file: fileOf(file) }),
  'cpu-profile': ({ worker, file, seconds }) => ({
    command: 'cpu-profile',
    worker: workerOf(worker),
    file: fileOf(file),
    seconds: whole('seconds', seconds, 1, MOST_PROFILE_SECONDS),
  }),
  purge: ({ tags }) => ({ command: 'purge', tags: tagsOf(tags) }),
  upgrade: () => ({ command: 'upgrade' }),
  stop: ({ quick = false }) => {
    if (typeof quick !== 'boolean') throw bad('a `quick` that is neither true nor false')
    return { command: 'stop', quick }
  },
}

function whole(name: string, found: unknown, from: number, to: number): number {
  if (isWhole(found, from, to)) return found
  throw bad(`\`${name}\` as ${JSON.stringify(found) ?? 'undefined'}; it is a whole number from ${from} to ${to}`)
}

/** Its number or its process id. */
function workerOf(found: unknown): number {
  return whole('worker', found, 1, 2 ** 31)
}

/** Absolute: the server and who asks it are in different directories. */
function fileOf(found: unknown): string {
  if (typeof found === 'string' && found.startsWith('/') && !found.includes('\0') && Buffer.byteLength(found) < 4096)
    return found
  throw bad(`\`file\` as ${JSON.stringify(found) ?? 'undefined'}; it is an absolute path`)
}

/** @throws ControlError `CONTROL_BAD_REQUEST` */
export function tagsOf(found: unknown): readonly string[] {
  const isTag = (tag: unknown) => typeof tag === 'string' && tag !== '' && tag.length <= LONGEST_TAG
  if (Array.isArray(found) && found.length > 0 && found.length <= MOST_TAGS && found.every(isTag))
    return found as string[]
  throw bad(`no tags to purge; it takes 1 to ${MOST_TAGS}, each of 1 to ${LONGEST_TAG} characters`)
}

function bad(what: string): ControlError {
  return new ControlError('CONTROL_BAD_REQUEST', `the control socket got ${what}`)
}

export function answerLine(answer: ControlAnswer): string {
  return `${JSON.stringify(answer)}\n`
}

/** @throws ControlError `CONTROL_BAD_ANSWER` */
export function readAnswer(line: string): ControlAnswer {
  try {
    const found = JSON.parse(line) as ControlAnswer
    if (found.ok === true || (found.ok === false && typeof found.error.message === 'string')) return found
  } catch {
    // Said below.
  }
  throw new ControlError('CONTROL_BAD_ANSWER', 'what listens on the control socket does not answer as Millrace does')
}

/** Cuts what arrives into lines. */
export class LineReader {
  readonly #mostBytes: number
  #rest: Buffer = Buffer.alloc(0)

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /**
   * @returns the lines that are complete now, without their ends
   * @throws ControlError `CONTROL_BAD_REQUEST` for a longer line; what follows is not read
   */
  push(bytes: Buffer): string[] {
    let all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const lines: string[] = []
    for (let end = all.indexOf(10); end !== -1; end = all.indexOf(10)) {
      if (end > this.#mostBytes) break
      lines.push(all.toString('utf8', 0, end))
      all = all.subarray(end + 1)
    }
    if (all.length > this.#mostBytes) throw bad(`a line of more than ${this.#mostBytes} bytes`)
    this.#rest = all
    return lines
  }
}
