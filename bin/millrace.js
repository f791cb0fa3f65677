#!/usr/bin/env node
// Starts the command line, or says in one sentence that this Node is too old. Written so that old Nodes can read it.
var version = process.versions.node
var parts = version.split('.').map(Number)

if (parts[0] > 22 || (parts[0] === 22 && parts[1] >= 18)) {
  void import('../dist/cli/main.js')
} else {
  process.stderr.write('Millrace needs Node 22.18 or newer, and this is Node ' + version + '.\n')
  process.exitCode = 1
}
