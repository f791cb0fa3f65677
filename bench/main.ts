// npm run bench -- NAME: runs one bench.
import { hello } from './hello.ts'
import { readOptions, USAGE, type Options } from './harness/options.ts'
import { micro } from './micro.ts'
import { shopRead } from './shop-read.ts'
import { types } from './types.ts'

const BENCHES: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  hello,
  'shop-read': shopRead,
  types,
  micro,
}

// Ending at once runs the exit listeners, which take the servers along.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

try {
  await run()
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode = 1
}

async function run(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('the benches read /proc and pin to cores: they run on Linux')
  const options = readOptions(process.argv.slice(2))
  const bench = BENCHES[options.bench]
  if (!bench) throw new Error(`there is no bench ${options.bench}\n\n${USAGE}`)
  await bench(options)
}
