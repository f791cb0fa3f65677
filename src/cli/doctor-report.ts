// The report of `millrace doctor` for a person: facts with a mark, and the sum of connections as one would write it down, within 80 columns.
import { wrap } from '../core/wrap.ts'
import type { Calculation } from '../data/postgres/examination.ts'
import { remediesText } from '../data/postgres/plan-text.ts'

/** ' ' is well, '~' worth a look, '!' has to be changed. */
export type Mark = ' ' | '~' | '!'

export interface Fact {
  readonly mark: Mark
  readonly name: string
  /** Further lines are indented as they are. */
  readonly text: string
}

export interface Section {
  readonly title: string
  readonly facts: readonly Fact[]
  readonly calculation?: Calculation | undefined
}

const COLUMNS = 80
const NAME_COLUMNS = 18

export function doctorReport(sections: readonly Section[]): string {
  const marks = sections.flatMap(marksOf)
  const wrong = marks.filter(mark => mark === '!').length
  const odd = marks.filter(mark => mark === '~').length
  const sums = [
    wrong === 0
      ? 'Nothing has to be changed'
      : `${wrong} ${wrong === 1 ? 'thing has' : 'things have'} to be changed (!)`,
    ...(odd === 0 ? [] : [`${odd} ${odd === 1 ? 'is' : 'are'} worth a look (~)`]),
  ]
  return `${sections.map(sectionText).join('\n')}\n${sums.join('; ')}.\n`
}

export function isWrong(sections: readonly Section[]): boolean {
  return sections.flatMap(marksOf).includes('!')
}

function marksOf({ facts, calculation }: Section): readonly Mark[] {
  return [...facts.map(({ mark }) => mark), ...(calculation === undefined ? [] : [markOf(calculation)])]
}

function sectionText({ title, facts, calculation }: Section): string {
  const sum = calculation === undefined ? '' : `\n${calculationText(calculation)}`
  return `${title}\n${facts.map(factText).join('')}${sum}`
}

function factText({ mark, name, text }: Fact): string {
  const [first = '', ...rest] = text.split('\n').flatMap(line => (line.startsWith(' ') ? [line] : folded(line)))
  return [
    `${mark} ${name.padEnd(NAME_COLUMNS)}${first}`,
    ...rest.map(line => (line.startsWith(' ') ? line : `${' '.repeat(NAME_COLUMNS + 2)}${line}`)),
  ]
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}

function folded(line: string): readonly string[] {
  return wrap(line, COLUMNS - NAME_COLUMNS - 2)
}

const LABEL_COLUMNS = 56

function calculationText(calculation: Calculation): string {
  const { capacity, demand, plan } = calculation
  const { workers, surge, hosts, given, open, listening, migration, others, hostLimit } = demand
  const limit = (value: number | undefined, label: string): string =>
    value === undefined ? '' : line(label, '', value)
  const pools = [
    ...(open === 0 ? [] : [open === 1 ? `a pool of ${plan.size}` : `${open} pools of ${plan.size}`]),
    ...given.map(size => `a pool of ${size} as given`),
  ]
  return [
    line('max_connections of the server', '', capacity.maxConnections),
    line('superuser_reserved_connections', '-', capacity.superuserReserved),
    line('reserved_connections', '-', capacity.reserved),
    limit(capacity.roleLimit, 'or the connection limit of the role, if less'),
    limit(capacity.databaseLimit, 'or the connection limit of the database, if less'),
    line('left for other programs (leaveConnections)', '-', others),
    hostLimit === undefined
      ? ''
      : line(`or DATABASE_MAX_CONN ${hostLimit} x hosts + 1, if less`, '', hostLimit * hosts + migration),
    line('there are, for this app', '=', plan.available),
    '\n',
    line('workers on a host at most (--workers, --max-workers)', '', workers),
    line('beside them while one replaces another', '+', surge),
    line('hosts (--replicas)', 'x', hosts),
    line(`each: ${pools.join(', ')}, ${listening} to listen`, 'x', plan.each),
    line('to migrate', '+', migration),
    line('taken at most', '=', plan.taken),
    '\n',
    verdict(calculation),
  ].join('')
}

/** A label that is too long goes on in the next line, which has the number. */
function line(label: string, sign: string, value: number): string {
  const labels = wrap(label, LABEL_COLUMNS - 2).map((text, index) => (index === 0 ? text : `  ${text}`))
  const last = labels.pop()!.padEnd(LABEL_COLUMNS)
  return [...labels, `${last} ${sign.padStart(1)} ${String(value).padStart(6)}`].map(text => `  ${text}\n`).join('')
}

function markOf({ demand, plan }: Calculation): Mark {
  if (!plan.fits) return '!'
  return demand.open > 0 && plan.size === 1 ? '~' : ' '
}

function verdict(calculation: Calculation): string {
  const { demand, plan } = calculation
  const mark = markOf(calculation)
  const remedies = remediesText(demand, plan)
  const text = !plan.fits
    ? `It does not fit: ${plan.taken} of ${plan.available}. ${upper(remedies)}.`
    : mark === '~'
      ? `It fits, ${plan.taken} of ${plan.available}, with pools of 1: statements of a worker wait for each other. For pools of 2 ${remedies}.`
      : `It fits: ${plan.taken} of ${plan.available}.`
  return wrap(text, COLUMNS - 2)
    .map((line, index) => `${index === 0 ? mark : ' '} ${line}\n`)
    .join('')
}

function upper(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}
