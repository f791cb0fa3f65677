// Loaded before a server whose memory is measured: collects all garbage whenever the file named by COLLECT_WHEN changes.
//
// A heap grows until V8 sees a reason to collect, and keeps what it grew for a while: without this, memory per connection would be
// whatever garbage happens to lie around.
import { statSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void
const file = process.env['COLLECT_WHEN']!
let seenMs = 0
setInterval(() => {
  const changedMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (changedMs === seenMs) return
  seenMs = changedMs
  collect({ type: 'major', flavor: 'last-resort' })
}, 100).unref()
