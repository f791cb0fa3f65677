// Fields and cookies that one answer has on top of what its route prepared.
import type { Answer } from './answer.ts'
import { setCookie } from './cookie.ts'
import type { ReplyInit } from './reply.ts'

export function dress(answer: Answer, init: ReplyInit): Answer {
  for (const [name, value] of Object.entries(init.headers ?? {})) answer.headers.set(name, value)
  for (const [name, cookie] of Object.entries(init.cookies ?? {}))
    answer.headers.append(
      'set-cookie',
      typeof cookie === 'string' ? setCookie(name, cookie) : setCookie(name, cookie.value, cookie),
    )
  return answer
}
