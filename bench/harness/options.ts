// What can be said on the command line of every timed bench.
import { parseArgs } from 'node:util'

export interface Options {
  /** Which bench, e.g. 'hello'. */
  readonly bench: string
  /** How long each server is loaded in each round. */
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly connections: number
  readonly rounds: number
  /** Servers to run, by name; empty: all. */
  readonly only: readonly string[]
  /** One JSON object per server on standard output instead of the table. */
  readonly json: boolean
  /** Write bench/results/<date>-<bench>.json. */
  readonly save: boolean
}

/** Where another default fits: no bench should take more than four minutes, however many servers it has. */
const DEFAULTS: Readonly<
  Record<string, { readonly seconds?: number; readonly rounds?: number; readonly connections?: number }>
> = {
  shop: { seconds: 60, connections: 5_000 },
  'shop-read': { seconds: 5 },
  connections: { rounds: 3 },
  ws: { rounds: 3 },
}
const OTHERS = { seconds: 3, rounds: 5, connections: 64 }

export const USAGE = `npm run bench -- NAME  [options]
  NAME: hello | headers | baseline | limited-conn | pipelined | json | json-comp | upload | routes | async-db |
        crud | api | shop | shop-read | db-read | query-lanes | connections | slow | upload-memory | sse |
        static | ws | dev | processes | churn | skew | types | micro
  --seconds N       load per server and round           3; shop-read 5, shop 60
  --warm-up N       load per server before the rounds   2
  --connections N   keep-alive connections              64; shop 5000
  --rounds N        turns: A B C, A B C, ...            5; connections and ws 3
  --only A,B        these servers only
  --json            one JSON object per server
  --no-save         do not write bench/results/
`

/** @throws Error that says what is wrong with the arguments */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      seconds: { type: 'string' },
      'warm-up': { type: 'string', default: '2' },
      connections: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: true },
    },
  })
  if (positionals.length !== 1) throw new Error(`name one bench\n\n${USAGE}`)
  const bench = positionals[0]!
  const defaults = { ...OTHERS, ...DEFAULTS[bench] }
  return {
    bench,
    seconds: wholeNumber('seconds', values.seconds ?? String(defaults.seconds)),
    warmUpSeconds: wholeNumber('warm-up', values['warm-up']),
    connections: wholeNumber('connections', values.connections ?? String(defaults.connections)),
    rounds: wholeNumber('rounds', values.rounds ?? String(defaults.rounds)),
    only: values.only.split(',').filter(name => name !== ''),
    json: values.json,
    save: values.save,
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 10_000) throw new Error(`--${name} ${text}: give 1 to 10000`)
  return value
}
