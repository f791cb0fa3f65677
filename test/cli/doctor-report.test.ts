// The report of the doctor as people read it: within 80 columns, marks that add up, and a sum that can be followed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { doctorReport, isWrong, type Section } from '../../src/cli/doctor-report.ts'
import { readDoctorArguments } from '../../src/cli/doctor-arguments.ts'
import { planPools, type PoolDemand, type ServerCapacity } from '../../src/data/pool-plan.ts'

const SERVER: ServerCapacity = { maxConnections: 100, superuserReserved: 3, reserved: 0 }
const ONE: PoolDemand = {
  workers: 2,
  surge: 1,
  hosts: 1,
  given: [],
  open: 1,
  listening: 1,
  migration: 1,
  others: 0,
  usual: 10,
}

function section(demand: Partial<PoolDemand>, capacity: Partial<ServerCapacity> = {}): Section {
  const full = { capacity: { ...SERVER, ...capacity }, demand: { ...ONE, ...demand } }
  return {
    title: 'PostgreSQL',
    facts: [],
    calculation: { ...full, plan: planPools(full.capacity, full.demand) },
  }
}

describe('the report', () => {
  test('writes the sum down, and says that it fits', () => {
    assert.equal(
      doctorReport([section({})]),
      `PostgreSQL

  max_connections of the server                                 100
  superuser_reserved_connections                           -      3
  reserved_connections                                     -      0
  left for other programs (leaveConnections)               -      0
  there are, for this app                                  =     97

  workers on a host at most (--workers, --max-workers)            2
  beside them while one replaces another                   +      1
  hosts (--replicas)                                       x      1
  each: a pool of 10, 1 to listen                          x     11
  to migrate                                               +      1
  taken at most                                            =     34

  It fits: 34 of 97.

Nothing has to be changed.
`,
    )
  })

  test('says of what does not fit which number would have to be what', () => {
    const report = doctorReport([section({ workers: 12, hosts: 4 })])
    assert.match(
      report.replaceAll('\n  ', ' '),
      /\n! It does not fit: 105 of 97\. Set max_connections of the server to at least 108, or run at most 11 workers on each host \(--workers, --max-workers\), or run on at most 3 hosts \(--replicas\)\.\n/,
    )
    assert.match(report, /\n1 thing has to be changed \(!\)\.\n$/)
  })

  test('stays within 80 columns, whatever there is to say', () => {
    const sections: Section[] = [
      {
        title: 'This machine',
        facts: [
          { mark: '~', name: 'a rather long name', text: 'word '.repeat(60) },
          { mark: '!', name: 'short', text: `first ${'word '.repeat(30)}\nsecond` },
        ],
      },
      section({ workers: 1024, hosts: 10_000, given: [20, 30], open: 2, listening: 4, hostLimit: 5 }),
      section({ workers: 64, hostLimit: 100, others: 12 }, { roleLimit: 50, databaseLimit: 60 }),
    ]
    const report = doctorReport(sections)
    for (const line of report.split('\n')) assert.ok(line.length <= 80, line)
    assert.match(report, /3 things have to be changed \(!\); 1 is worth a look \(~\)\.\n$/)
    assert.ok(isWrong(sections))
    assert.ok(!isWrong([section({})]))
  })
})

describe('its arguments', () => {
  test('are an app or none, the settings of serve, and a database', () => {
    assert.deepEqual(readDoctorArguments([]), { app: undefined, flags: {}, url: undefined })
    assert.deepEqual(readDoctorArguments(['app.ts', '--workers=8', '--url', 'postgresql:///x', '--replicas', '4']), {
      app: 'app.ts',
      flags: { workers: '8', replicas: '4' },
      url: 'postgresql:///x',
    })
    assert.equal(readDoctorArguments(['--url=postgresql:///y']).url, 'postgresql:///y')
  })

  test('that mean nothing are refused', () => {
    for (const [argv, code] of [
      [['a.ts', 'b.ts'], 'CLI_TOO_MANY'],
      [['--url'], 'CLI_NO_VALUE'],
      [['--url', '--workers'], 'CLI_NO_VALUE'],
      [['--url='], 'CLI_NO_VALUE'],
      [['--wrokers', '2'], 'CLI_UNKNOWN_FLAG'],
      [['--workers', 'many'], 'SETTINGS_BAD_VALUE'],
    ] as const)
      assert.throws(() => readDoctorArguments(argv), { code })
  })
})
