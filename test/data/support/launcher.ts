// A process that starts an embedded server, says so, and then waits to be killed.
import { embeddedPostgres } from '../../../src/data/postgres/index.ts'

const server = await embeddedPostgres({ dataDir: process.argv[2]! })
process.stdout.write(`${server.pid}\n`)
setInterval(() => {}, 60_000)
