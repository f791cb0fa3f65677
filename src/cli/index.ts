// Door to the command line, for programs that start a server as `millrace serve` does: `process.exit(await run(['serve', 'app.ts']))`.
export { run } from './run.ts'
