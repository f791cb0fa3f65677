// types: what 300 routes cost the compiler, per route, on both compilers; editors stay fast only if this does.
//
// Against Millrace's declarations, as an application sees them, not against its source. Instantiations are a count and the same on
// every machine; seconds are of this run.
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { say } from './harness/compare.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { installPeer, peerPath } from './harness/peers.ts'
import { aligned, writeResult } from './harness/report.ts'
import { CALLS, generate, type Kind } from './types/generate.ts'

const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, '.millrace/bench/types')
const ROUTES = 300
/** Instantiations per route, above the same schemas with their outputs read, and what a client of all adds to each and to one called. */
const BUDGET = { routes: 1_500, above: 550, clientPerRoute: 130, clientPerCall: 1_200 }

interface Compiler {
  readonly name: string
  readonly tsc: string
}

interface Cost {
  readonly compiler: string
  readonly instantiationsPerRoute: number
  readonly aboveSchemasPerRoute: number
  /** What a client of all routes costs for each of them, once. */
  readonly clientPerRoute: number
  /** What a route costs that the client calls. */
  readonly clientPerCall: number
  readonly checkSeconds: number
  readonly totalSeconds: number
  readonly memoryMiB: number
}

const run = promisify(execFile)

/** @throws Error when a generated application does not compile or the budget is passed */
export async function types(options: Options): Promise<void> {
  const typescript6 = join(ROOT, 'node_modules/typescript/bin/tsc')
  const declarations = join(FOLDER, 'millrace')
  mkdirSync(FOLDER, { recursive: true })
  say('emitting declarations')
  // A type error in src fails `npm run types`, not this bench.
  await tsc(
    typescript6,
    ['-p', join(ROOT, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', declarations],
    true,
  )
  const versions = await installPeer('typescript-7')
  const compilers: Compiler[] = [
    { name: 'TypeScript 6', tsc: typescript6 },
    { name: 'TypeScript 7', tsc: peerPath('typescript-7', 'node_modules/typescript/bin/tsc') },
  ]
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    paths: { millrace: ['../millrace/index.d.ts'], 'millrace/client': ['../millrace/client/index.d.ts'] },
  }
  for (const kind of ['routes', 'outputs', 'client', 'calls'] as const)
    generate(join(FOLDER, kind), ROUTES, kind, compilerOptions)
  const costs: Cost[] = []
  for (const compiler of compilers) {
    say(`checking ${ROUTES} routes with ${compiler.name}`)
    costs.push(await cost(compiler))
  }
  const output = options.json ? costs.map(each => JSON.stringify(each)).join('\n') : table(costs)
  process.stdout.write(`${output}\n`)
  if (options.save) {
    const about = circumstances({ 'typescript 7': versions['typescript']!, ...(await versionsOf(typescript6)) })
    say(
      `written: ${writeResult(about.date, 'types', { bench: 'types', ...about, routes: ROUTES, budget: BUDGET, costs })}`,
    )
  }
  for (const each of costs)
    for (const [name, most] of Object.entries({
      instantiationsPerRoute: BUDGET.routes,
      aboveSchemasPerRoute: BUDGET.above,
      clientPerRoute: BUDGET.clientPerRoute,
      clientPerCall: BUDGET.clientPerCall,
    } as const))
      if (each[name as 'clientPerCall'] > most)
        throw new Error(`${name} is ${each[name as 'clientPerCall']} on ${each.compiler}, over the budget of ${most}`)
}

async function cost({ name, tsc: path }: Compiler): Promise<Cost> {
  const routes = await diagnostics(path, 'routes')
  const outputs = await diagnostics(path, 'outputs')
  const client = await diagnostics(path, 'client')
  const calls = await diagnostics(path, 'calls')
  return {
    compiler: name,
    instantiationsPerRoute: Math.round(routes.instantiations / ROUTES),
    aboveSchemasPerRoute: Math.round((routes.instantiations - outputs.instantiations) / ROUTES),
    clientPerRoute: Math.round((client.instantiations - routes.instantiations) / ROUTES),
    clientPerCall: Math.round((calls.instantiations - client.instantiations) / CALLS),
    checkSeconds: routes.checkSeconds,
    totalSeconds: routes.totalSeconds,
    memoryMiB: routes.memoryMiB,
  }
}

async function diagnostics(path: string, kind: Kind) {
  // One checker: TypeScript 7's several each instantiate what they share, and the count would depend on the machine.
  const single = path.includes('typescript-7') ? ['--singleThreaded'] : []
  const output = await tsc(path, ['-p', join(FOLDER, kind), '--extendedDiagnostics', ...single])
  const figure = (name: string) => {
    const match = new RegExp(`^${name}:\\s+([\\d.]+)`, 'm').exec(output)
    if (!match) throw new Error(`no ${name} in the diagnostics:\n${output}`)
    return Number(match[1])
  }
  return {
    instantiations: figure('Instantiations'),
    checkSeconds: figure('Check time'),
    totalSeconds: figure('Total time'),
    memoryMiB: Math.round(figure('Memory used') / 1024),
  }
}

async function tsc(path: string, args: readonly string[], mayFail = false): Promise<string> {
  try {
    return (await run(process.execPath, [path, ...args], { maxBuffer: 64 * 2 ** 20 })).stdout
  } catch (error) {
    const { stdout } = error as { stdout?: string }
    if (mayFail) return stdout ?? ''
    throw new Error(`${args.join(' ')} failed:\n${(stdout ?? String(error)).slice(0, 4_000)}`, { cause: error })
  }
}

async function versionsOf(typescript6: string): Promise<Record<string, string>> {
  return { 'typescript 6': (await tsc(typescript6, ['--version'])).trim().replace('Version ', '') }
}

function table(costs: readonly Cost[]): string {
  const head = [
    `${ROUTES} routes`,
    'instantiations/route',
    'above schemas',
    'client/route',
    'client/call',
    'check s',
    'total s',
    'MiB',
  ]
  const rows = costs.map(each => [
    each.compiler,
    `${each.instantiationsPerRoute} of ${BUDGET.routes}`,
    `${each.aboveSchemasPerRoute} of ${BUDGET.above}`,
    `${each.clientPerRoute} of ${BUDGET.clientPerRoute}`,
    `${each.clientPerCall} of ${BUDGET.clientPerCall}`,
    each.checkSeconds.toFixed(2),
    each.totalSeconds.toFixed(2),
    String(each.memoryMiB),
  ])
  return aligned([head, ...rows])
}
