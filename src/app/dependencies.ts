// Which dependencies a route needs and in which order, worked out once; then, per request, made in that order and cleaned up in reverse.
//
// What a router asks for is there before anything of a route in it begins. Beside each other in one `uses` (and in what those use) they are
// made at the same time, each as soon as what it uses is there.
import { isThenable } from '../core/thenable.ts'
import { UsageError } from '../core/error.ts'
import { type DependencyDefinition } from './dependency.ts'
import { DependencyView, type RequestState } from './request-state.ts'

/** One value to be made for one request. */
export interface Step {
  readonly definition: DependencyDefinition
  /** As messages name it. */
  readonly name: string
  /** Where its value goes, and where the values it uses come from. */
  readonly slot: number
  readonly uses: readonly (readonly [name: string, source: Source])[]
  /** Number of the `uses`, from the outside in, that asked first. */
  readonly group: number
  /** What is required of it, and of what it uses. */
  readonly scopes: ReadonlySet<string>
}
/** Steps that are made at the same time, each after what it uses. */
type Batch = readonly Step[]
type Source = { readonly slot: number } | { readonly worker: DependencyDefinition }

/** Values of worker-scoped dependencies, made before the first request. */
export type WorkerValues = ReadonlyMap<DependencyDefinition, unknown>

export class DependencyPlan {
  /** By slot, each after what it uses. */
  readonly steps: readonly Step[]
  /** Those that say who may ask, with what they use, in the order in which they are made: first. */
  readonly guards: readonly Step[]
  /** The others, made when all inputs are there. */
  readonly others: readonly Step[]
  /** Those of scope worker that are needed, directly or through others, each after what it uses. */
  readonly workers: readonly DependencyDefinition[]
  /** Of `guards` and of `others`. */
  readonly #batches: ReadonlyMap<readonly Step[], readonly Batch[]>
  /** What the handler gets by name. */
  readonly #given: readonly (readonly [name: string, source: Source])[]
  readonly #overrides: ReadonlyMap<DependencyDefinition, DependencyDefinition>

  /**
   * @param uses  groups from the outside in, then the route's own; a later one of the same name wins
   * @throws UsageError `APP_DEPENDENCY_CYCLE`
   */
  constructor(
    uses: readonly Readonly<Record<string, DependencyDefinition>>[],
    overrides: ReadonlyMap<DependencyDefinition, DependencyDefinition>,
  ) {
    this.#overrides = overrides
    const steps: (Step & { readonly scopes: Set<string> })[] = []
    const workers = new Set<DependencyDefinition>()
    const shared = new Map<DependencyDefinition, Source>()
    const open: string[] = []

    const source = (name: string, declared: DependencyDefinition, group: number): Source => {
      const definition = overrides.get(declared) ?? declared
      if (definition.requires) {
        const found = source(name, definition.requires.of, group)
        if ('slot' in found) for (const scope of definition.requires.scopes) steps[found.slot]!.scopes.add(scope)
        return found
      }
      const before = shared.get(definition)
      if (before) return before
      const path = `${name}${definition.name && definition.name !== name ? ` (${definition.name})` : ''}`
      if (inProgress.has(definition))
        throw new UsageError(
          'APP_DEPENDENCY_CYCLE',
          `dependencies go round in a circle: ${[...open, path].join(' -> ')}`,
        )
      inProgress.add(definition)
      open.push(path)
      const used = Object.entries(definition.uses).map(([name, other]) => [name, source(name, other, group)] as const)
      open.pop()
      inProgress.delete(definition)
      if (definition.scope === 'worker') {
        workers.add(definition)
        const worker = { worker: definition }
        shared.set(definition, worker)
        return worker
      }
      const slot = { slot: steps.length }
      steps.push({ definition, name, slot: slot.slot, uses: used, group, scopes: new Set() })
      if (definition.scope === 'request') shared.set(definition, slot)
      return slot
    }
    const inProgress = new Set<DependencyDefinition>()

    const given = new Map<string, Source>()
    for (const [n, group] of uses.entries())
      for (const [name, definition] of Object.entries(group)) given.set(name, source(name, definition, n))
    // From the users to what they use: what is asked of the one is asked of the other, and a guard needs its own before it.
    const guards = new Set<number>()
    for (const { definition, slot, uses, scopes } of steps.toReversed()) {
      if (definition.isGuard) guards.add(slot)
      for (const [, used] of uses)
        if ('slot' in used) {
          for (const scope of scopes) steps[used.slot]!.scopes.add(scope)
          if (guards.has(slot)) guards.add(used.slot)
        }
    }
    this.steps = steps
    this.guards = steps.filter(({ slot }) => guards.has(slot))
    this.others = steps.filter(({ slot }) => !guards.has(slot))
    this.#batches = new Map([this.guards, this.others].map(part => [part, inBatches(part)]))
    this.workers = [...workers]
    this.#given = [...given]
  }

  /** What is really used where `definition` was declared. */
  standIn(definition: DependencyDefinition): DependencyDefinition {
    return this.#overrides.get(definition) ?? definition
  }

  /** Nothing to make per request: the handler may run at once. */
  get isStatic(): boolean {
    return this.steps.length === 0
  }

  /** Names and values that are the same for every request. */
  constants(workerValues: WorkerValues): readonly (readonly [string, unknown])[] {
    return this.#given.flatMap(([name, source]) =>
      'worker' in source ? [[name, workerValues.get(source.worker)] as const] : [],
    )
  }

  /** Sets the made values on a handler's context. */
  give(context: object, made: readonly unknown[]): void {
    for (const [name, source] of this.#given)
      if ('slot' in source) (context as Record<string, unknown>)[name] = made[source.slot]
  }

  /**
   * Makes the values, batch after batch. When one of a batch fails the others under way are waited for, so that all that was opened is
   * cleaned up; the error is that of the first in order.
   *
   * @param steps  `guards` or `others`
   * @param made  takes the values, by slot
   * @param inputs  by slot: what its declared headers, query and cookies decoded to
   * @param cleanUp  takes the generators as they open, so that a failure half-way cleans up what was made
   * @param shown  by slot: what the request showed where it declares security
   */
  async make(
    steps: readonly Step[],
    made: unknown[],
    state: RequestState,
    workerValues: WorkerValues,
    inputs: readonly (Partial<DependencyView> | undefined)[],
    cleanUp: CleanUp,
    shown?: readonly (object | undefined)[],
  ): Promise<void> {
    const begin = (step: Step): unknown => {
      const view = new DependencyView(state)
      const own = inputs[step.slot]
      if (own) Object.assign(view, own)
      const credentials = shown?.[step.slot]
      if (credentials) Object.assign(view, credentials)
      for (const [name, source] of step.uses)
        (view as unknown as Record<string, unknown>)[name] =
          'slot' in source ? made[source.slot] : workerValues.get(source.worker)
      return step.definition.factory(view)
    }
    for (const batch of this.#batches.get(steps) ?? []) {
      const pending = beginAll(batch, begin, made, cleanUp)
      if (pending.size > 0) await allOf([...pending.values()])
    }
  }
}

/** @returns by slot, those that are not there yet */
function beginAll(
  batch: Batch,
  begin: (step: Step) => unknown,
  made: unknown[],
  cleanUp: CleanUp,
): ReadonlyMap<number, Promise<void>> {
  const pending = new Map<number, Promise<void>>()
  const settle = async (step: Step, result: unknown): Promise<void> => {
    made[step.slot] = await cleanUp.open(step.name, result)
  }
  for (const step of batch) {
    const awaited = step.uses.flatMap(([, source]) => ('slot' in source ? (pending.get(source.slot) ?? []) : []))
    if (awaited.length > 0) {
      pending.set(
        step.slot,
        Promise.all(awaited).then(() => settle(step, begin(step))),
      )
      continue
    }
    try {
      const result = begin(step)
      if (isThenable(result) || isGenerator(result)) pending.set(step.slot, settle(step, result))
      else made[step.slot] = result
    } catch (error) {
      // Nothing behind it is begun any more; what is under way is waited for.
      pending.set(step.slot, Promise.reject(error))
      break
    }
  }
  return pending
}

/** Waits for all, then throws the error of the first that failed. */
async function allOf(pending: readonly Promise<void>[]): Promise<void> {
  if (pending.length === 1) return pending[0]
  for (const { status, reason } of (await Promise.allSettled(pending)) as PromiseRejectedResult[])
    if ((status as string) === 'rejected') throw reason
}

/** By the `uses` that asked for them; one that asks for a value of an inner one has it made first. */
function inBatches(steps: readonly Step[]): readonly Batch[] {
  const batches: Step[][] = []
  for (const step of steps) {
    const last = batches.at(-1)
    if (last && last[0]!.group === step.group) last.push(step)
    else batches.push([step])
  }
  return batches
}

type AnyGenerator = Generator<unknown, unknown, undefined> | AsyncGenerator<unknown, unknown, undefined>

function isGenerator(value: unknown): value is AnyGenerator {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AnyGenerator).next === 'function' &&
    typeof (value as AnyGenerator).throw === 'function'
  )
}

/** Open generators, closed in reverse order of opening. */
export class CleanUp {
  readonly #open: { readonly name: string; readonly generator: AnyGenerator }[] = []

  /** @returns the value that a factory's result stands for */
  async open(name: string, result: unknown): Promise<unknown> {
    if (!isGenerator(result)) return result
    const first = await result.next()
    if (first.done)
      throw new UsageError(
        'APP_NO_YIELD',
        `dependency ${name} is a generator that ended without a yield; yield its value once`,
      )
    this.#open.push({ name, generator: result })
    return first.value
  }

  /** The handler ended well. @throws what a clean-up throws; those outside it then get that error as a throw */
  async finish(): Promise<void> {
    let failure: { error: unknown } | undefined
    for (let entry = this.#open.pop(); entry; entry = this.#open.pop()) {
      if (failure) failure = { error: await thrownInto(entry.generator, failure.error) }
      else {
        try {
          const end = await entry.generator.next()
          if (!end.done)
            throw new UsageError(
              'APP_TWO_YIELDS',
              `dependency ${entry.name} yielded a second time; it yields its value once`,
            )
        } catch (error) {
          failure = { error }
        }
      }
    }
    if (failure) throw failure.error
  }

  /** The handler, or a factory, threw. @returns the error to answer with: the same, or the one that a clean-up threw instead */
  async fail(error: unknown): Promise<unknown> {
    let now = error
    for (let entry = this.#open.pop(); entry; entry = this.#open.pop()) now = await thrownInto(entry.generator, now)
    return now
  }
}

// A generator that catches the error and ends has cleaned up, not answered: the error goes on to those outside it.
async function thrownInto(generator: AnyGenerator, error: unknown): Promise<unknown> {
  try {
    const end = await generator.throw(error)
    if (!end.done) await generator.return(undefined)
    return error
  } catch (thrown) {
    return thrown
  }
}
