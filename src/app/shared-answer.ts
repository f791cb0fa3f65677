// What a shared cache makes of an answer: one for all who ask, one for who has asked alone, or a failure, for which an older one may be sent.
import { type Answer, LateAnswer, SwitchAnswer } from './answer.ts'
import { sharedLife, type SharedLife } from './cache-control.ts'
import { collected, streamOf } from './collect.ts'
import { FinishedAnswer, valueOf } from './finished-answer.ts'
import type { FieldList } from '../http/prepared-head.ts'

export interface SharingRules {
  /** How long a 200 is fresh that says nothing of it; undefined: then it is not kept. */
  readonly fallbackMs: number | undefined
  /** Request fields that are in the key, in lower case. */
  readonly varyNames: ReadonlySet<string>
  readonly maxBodyBytes: number
}

/** An answer that is for who asked, and nobody else. */
export class OwnAnswer {
  readonly answer: Answer
  /** Its head says so; otherwise its body is too long or too slow, or has trailers. */
  readonly isByHead: boolean
  constructor(answer: Answer, isByHead: boolean) {
    this.answer = answer
    this.isByHead = isByHead
  }
}

/** A 5xx. */
export class FailedAnswer extends Error {
  readonly answer: Answer
  /** For others who wait for the same, where it is not for one client alone. */
  readonly finished: FinishedAnswer | undefined
  constructor(answer: Answer, finished: FinishedAnswer | undefined) {
    super(`the answer was a ${answer.status}`)
    this.answer = answer
    this.finished = finished
  }
}

/** A stream that is slower than this is one that its reader follows. */
const MAX_COLLECT_MS = 5_000

/** @throws FailedAnswer for a 5xx */
export async function shared(answer: Answer, rules: SharingRules): Promise<FinishedAnswer | OwnAnswer> {
  if (answer.status >= 500) throw new FailedAnswer(answer, isForAll(answer) ? await finished(answer, rules) : undefined)
  if (!mayKeep(answer, rules)) return new OwnAnswer(answer, true)
  return (await finished(answer, rules)) ?? new OwnAnswer(answer, false)
}

/** As far as its head can tell. */
export function mayKeep(answer: Answer, rules: SharingRules): boolean {
  return lifeOf(answer.status, answer.head.fields, rules) !== undefined
}

/** @returns undefined for what is not to be kept. A 404 that says nothing of its own is told to those who wait, and not kept */
export function lifeOf(
  status: number,
  fields: FieldList,
  { fallbackMs, varyNames }: SharingRules,
): SharedLife | undefined {
  return sharedLife(status, fields, status === 200 ? fallbackMs : undefined, varyNames)
}

/** @returns undefined where it has to go on as it came, which it still can */
async function finished(answer: Answer, { maxBodyBytes }: SharingRules): Promise<FinishedAnswer | undefined> {
  if (answer instanceof LateAnswer || answer instanceof SwitchAnswer) return undefined
  const { status, fields } = answer.head
  if (!(await collected(answer, { maxBytes: maxBodyBytes, maxMs: MAX_COLLECT_MS }))) return undefined
  // Of a mounted listener it is known only now whether there are any. They stand behind a stream.
  if (Object.keys(answer.trailers?.() ?? {}).length > 0) {
    answer.body = streamOf(answer.body as Uint8Array)
    return undefined
  }
  const age = valueOf(fields, 'age')
  const own = fields.filter((_, n) => fields[n - (n % 2)]!.toLowerCase() !== 'age')
  const made = FinishedAnswer.of(status, own, answer.body as string | Uint8Array | null, answer.error)
  return age !== undefined && /^\d{1,10}$/.test(age) ? made.agedBy(Number(age)) : made
}

function isForAll({ headers }: Answer): boolean {
  return !headers.has('set-cookie') && !/\bprivate\b/i.test(headers.get('cache-control') ?? '')
}
