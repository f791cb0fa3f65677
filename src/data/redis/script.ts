// Lua scripts with named keys and arguments. Sent by digest: the text goes over the wire only where the server does not have it.
import { createHash } from 'node:crypto'
import { badScript, RedisReplyError } from './errors.ts'
import { boundOf, type Bound, type CommandBounds, type Link } from './link.ts'

/** A script; `R` is what it returns, as the author says. */
export interface Script<K extends string, A extends string, R> {
  readonly lua: string
  readonly keys: readonly K[]
  readonly args: readonly A[]
  /** Reads what came back: texts as Buffers, integers as numbers, false and nil as null, tables as arrays. */
  readonly read: (reply: unknown) => R
}

type Word = string | number | Buffer

/**
 * Declares a script. In it each name stands for its key or argument: `local held = redis.call('get', lock)`.
 *
 * ```ts
 * const release = script({
 *   keys: ['lock'],
 *   args: ['token'],
 *   lua: `if redis.call('get', lock) == token then return redis.call('del', lock) end return 0`,
 *   read: reply => reply === 1,
 * })
 * const wasOurs = await redis.run(release, { keys: { lock: 'lock:7' }, args: { token } })
 * ```
 *
 * @throws UsageError `REDIS_SCRIPT` for names that Lua cannot have, or that are there twice
 */
export function script<const K extends string, const A extends string, R = unknown>(of: {
  readonly keys?: readonly K[]
  readonly args?: readonly A[]
  readonly lua: string
  readonly read?: (reply: unknown) => R
}): Script<K, A, R> {
  const { keys = [], args = [], lua, read = reply => reply as R } = of
  const names: readonly string[] = [...keys, ...args]
  for (const name of names)
    if (!/^[a-zA-Z_]\w*$/.test(name) || RESERVED.has(name))
      throw badScript(`${JSON.stringify(name)} cannot be the name of a variable in Lua; take letters, digits and _`)
  const twice = names.find((name, n) => names.indexOf(name) !== n)
  if (twice !== undefined) throw badScript(`${twice} is the name of two keys or arguments of one script`)
  const locals = [
    ...keys.map((name, n) => `local ${name} = KEYS[${n + 1}]`),
    ...args.map((name, n) => `local ${name} = ARGV[${n + 1}]`),
  ]
  // On the first line, so that the lines of Redis's errors are those of the author.
  return { lua: `${locals.join(' ')} ${lua}`, keys, args, read }
}

const RESERVED = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while KEYS ARGV redis'.split(
    ' ',
  ),
)

/** A script with what is known of it: its digest. */
export class RunningScript {
  static readonly #known = new WeakMap<object, RunningScript>()
  readonly #lua: string
  readonly #sha1: string
  readonly #keys: readonly string[]
  readonly #args: readonly string[]
  readonly #read: (reply: unknown) => unknown

  private constructor(script: Script<string, string, unknown>) {
    this.#lua = script.lua
    this.#sha1 = createHash('sha1').update(script.lua).digest('hex')
    this.#keys = script.keys
    this.#args = script.args
    this.#read = script.read
  }

  static of(script: Script<any, any, any>): RunningScript {
    let running = RunningScript.#known.get(script)
    if (!running) RunningScript.#known.set(script, (running = new RunningScript(script)))
    return running
  }

  async run<R>(
    link: Link,
    of: {
      readonly keys: Readonly<Record<string, string>>
      readonly args: Readonly<Record<string, Word>>
    } & CommandBounds,
  ): Promise<R> {
    const keys = this.#keys.map(name => wordOf(of.keys[name], name))
    const args = this.#args.map(name => wordOf(of.args[name], name))
    const reply = await this.send(link, keys as readonly string[], args, boundOf(of))
    return this.#read(reply) as R
  }

  /** In the order in which they were declared; what comes back is not read. */
  async send(link: Link, keys: readonly string[], args: readonly (string | Buffer)[], bound: Bound): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args]
    const key = keys[0] ?? ''
    try {
      return await link.run('EVALSHA', driver => driver.send(key, ['EVALSHA', this.#sha1, ...rest]), bound)
    } catch (error) {
      if (!(error instanceof RedisReplyError && error.reply === 'NOSCRIPT')) throw error
      return await link.run('EVAL', driver => driver.send(key, ['EVAL', this.#lua, ...rest]), bound)
    }
  }
}

function wordOf(word: Word | undefined, name: string): string | Buffer {
  if (word === undefined) throw badScript(`the script needs ${name}`)
  return typeof word === 'number' ? String(word) : word
}
