// millrace doctor [APP]: what a server would meet here, before it is started: limits of the machine, and databases with their connections.
import type { Extent, PoolSpec } from '../../core/host.ts'
import { MillraceError } from '../../core/error.ts'
import type { Calculation, Examination } from '../../data/postgres/examination.ts'
import type { IndexReport } from '../../data/postgres/index-hints.ts'
import { type Environment, readEnvironment } from '../../server/environment.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readGeneration } from '../../server/generation.ts'
import { placeOf, resolveSettings } from '../../server/settings-sources.ts'
import type { Settings } from '../../server/settings.ts'
import { addressOf, type DatabaseName, withDatabase } from '../command-database.ts'
import { type DoctorArguments, readDoctorArguments } from '../doctor-arguments.ts'
import { doctorReport, type Fact, isWrong, type Section } from '../doctor-report.ts'
import { processSection } from '../process-facts.ts'

// Somebody waits for the answer, and a database that is away is one.
const WAIT_FOR_DATABASE_MS = 3_000

/** @throws SettingsError (exit code 2), or StartError for an app that cannot be loaded (3) */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { app, flags, url } = readDoctorArguments(argv)
  const situation = await situationOf({ app, flags, url })
  // pg looks there for what a URL does not say: PGPASSWORD, PGSSLMODE.
  Object.assign(process.env, situation.environment)
  const sections = [processSection(situation.settings), ...(await databaseSections(situation, url))]
  process.stdout.write(doctorReport(sections))
  return isWrong(sections) ? EXIT.fault : EXIT.stopped
}

interface Situation {
  readonly environment: Environment
  readonly settings: Settings
  /** Undefined where nobody says which app. */
  readonly pools: readonly PoolSpec[] | undefined
}

async function situationOf({ app, flags }: DoctorArguments): Promise<Situation> {
  if (app !== undefined) {
    const { environment, settings, manifest } = await readGeneration({ app, flags, command: 'serve' })
    return { environment, settings, pools: manifest.pools }
  }
  const environment = await readEnvironment(process.cwd(), placeOf('dotenv', flags))
  const { values } = resolveSettings({ command: 'serve', flags, environment, configFile: undefined, app: {} })
  return { environment, settings: values, pools: undefined }
}

async function databaseSections(situation: Situation, url: string | undefined): Promise<readonly Section[]> {
  const { settings, environment } = situation
  const extent: Extent = {
    workers: settings.maxWorkers ?? settings.workers,
    surge: 1,
    hosts: settings.replicas,
  }
  const isNamed = url !== undefined || (environment['DATABASE_URL'] ?? '') !== ''
  if (situation.pools === undefined && !isNamed) return []
  const { poolSpec } = await import('../../data/postgres/pool-demand.ts')
  // Of an app that nobody has named, one pool is as good a guess as any.
  const pools = situation.pools ?? [poolSpec({})]
  const servers = url === undefined ? Map.groupBy(pools, ({ server }) => server) : new Map([['', pools]])
  const sections: Section[] = []
  for (const shared of servers.values())
    if (shared.length > 0) sections.push(await databaseSection(shared, extent, url, environment))
  return sections
}

async function databaseSection(
  pools: readonly PoolSpec[],
  extent: Extent,
  url: string | undefined,
  environment: Environment,
): Promise<Section> {
  const { hostLimitOf } = await import('../../data/postgres/pool-demand.ts')
  const { calculateEmbedded, examine } = await import('../../data/postgres/examination.ts')
  const hostLimit = hostLimitOf(environment)
  const name: DatabaseName = url === undefined ? pools[0]!.options : { url }
  if ((await addressOf(name)) === undefined) {
    const text = 'embedded, and not running; this is what it will have'
    const calculation = name.embedded === false ? undefined : calculateEmbedded(pools, extent, hostLimit)
    const fact: Fact =
      calculation === undefined
        ? { mark: '!', name: 'address', text: 'none: set DATABASE_URL' }
        : { mark: ' ', name: 'server', text }
    return { title: 'PostgreSQL', facts: [fact], calculation }
  }
  try {
    const opening = { withinMs: WAIT_FOR_DATABASE_MS, warn: () => {} }
    const section = await withDatabase(name, opening, async database =>
      examinedSection(await examine(database, pools, extent, hostLimit)),
    )
    const replicas = pools.flatMap(({ options }) => (options['replicas'] as readonly string[] | undefined) ?? [])
    // In the place of another database there are none.
    const asked = url === undefined ? [...new Set(replicas)] : []
    const facts = await Promise.all(asked.map(async replica => replicaFact(replica, section.calculation)))
    return { ...section, facts: [...section.facts, ...facts] }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { title: 'PostgreSQL', facts: [{ mark: '!', name: 'answer', text: error.message }] }
  }
}

async function examinedSection({ facts, calculation, others, tookMs, indexes }: Examination): Promise<Section> {
  const answer: Fact = { mark: ' ', name: 'answer', text: `after ${tookMs.toFixed(1)} ms` }
  if (facts === undefined)
    return {
      title: 'PostgreSQL',
      facts: [
        answer,
        { mark: '~', name: 'version', text: 'not PostgreSQL itself: there is no plan of its connections' },
      ],
    }
  const { lastYearOf } = await import('../../data/postgres/examination.ts')
  return {
    title: `PostgreSQL at ${facts.where}`,
    facts: [
      answer,
      versionFact(facts.version, lastYearOf(facts.version)),
      ...(facts.isPooled
        ? [{ mark: '~', name: 'pooler', text: POOLED } as const]
        : [othersFact(others, calculation!), ...indexFacts(indexes!)]),
    ],
    calculation,
  }
}

/** The primary's plan holds for each of them: their pools are as large. */
async function replicaFact(url: string, calculation: Calculation | undefined): Promise<Fact> {
  const { examineReplica } = await import('../../data/postgres/examination.ts')
  const name = 'replica'
  const opening = { withinMs: WAIT_FOR_DATABASE_MS, warn: () => {} }
  try {
    const found = await withDatabase({ url }, opening, examineReplica)
    if (found === undefined) return { mark: '~', name, text: 'not PostgreSQL itself' }
    const { where, follows, slots = Infinity, tookMs } = found
    const taken = calculation?.plan.taken ?? 0
    if (taken > slots) return { mark: '!', name, text: `${where} has ${slots} connections, and ${taken} may be taken` }
    const state = follows ? 'follows' : 'follows nobody: it takes writes of its own'
    return { mark: follows ? ' ' : '~', name, text: `${where} ${state}, answers after ${tookMs.toFixed(1)} ms` }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { mark: '!', name, text: error.message }
  }
}

const POOLED =
  'one stands before the server, such as PgBouncer: its own limits count, and pools have their usual size; give the address of the server ' +
  'by --url to see what it has'

function versionFact(version: string, lastYear: number): Fact {
  const isOver = new Date() > new Date(Date.UTC(lastYear, 11, 1))
  const note = isOver ? `; its makers have mended it until November ${lastYear}: upgrade` : ''
  return { mark: isOver ? '~' : ' ', name: 'version', text: `${version}${note}` }
}

/** Who is connected now may well be so later. The server's slots are for all; other limits are this app's own. */
function othersFact(others: number, { capacity, plan }: Calculation): Fact {
  const slots = capacity.maxConnections - capacity.superuserReserved - capacity.reserved
  const isTooMany = others > slots - plan.taken
  const way = isTooMany ? `, and there is no room for them: postgres({ leaveConnections: ${others} })` : ''
  return { mark: isTooMany ? '~' : ' ', name: 'connections', text: `${others} now of other programs${way}` }
}

function indexFacts({ hints, statements }: IndexReport): readonly Fact[] {
  const missing = hints.map(({ table, rows, reason, sql }): Fact => {
    const size = rows < 1e6 ? `${Math.round(rows / 1e3)} thousand` : `${(rows / 1e6).toFixed(1)} million`
    return { mark: '~', name: 'missing index', text: `${table}, ${size} rows, is ${reason}\n  ${sql}` }
  })
  if (statements === undefined) return [...missing, { mark: ' ', name: 'slow statements', text: UNKNOWN_STATEMENTS }]
  if (missing.length > 0) return missing
  return [{ mark: ' ', name: 'indexes', text: `none is seen to be missing (${statements} statements looked at)` }]
}

const UNKNOWN_STATEMENTS =
  "are not known without pg_stat_statements: add it to the server's shared_preload_libraries, restart the server, and run\n" +
  '  create extension pg_stat_statements;'
