// Passwords: what is kept, what is the same, and how much is worked on at once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type MillraceError, OverloadError, UsageError } from 'millrace'
import { passwords } from 'millrace/security'

const quick = { ln: 4, r: 8, p: 1 }

describe('passwords', () => {
  const { hash, verify, needsRehash } = passwords({ cost: quick })

  test('are kept in the PHC form, salted, and verified', async () => {
    const kept = await hash('correct horse')
    assert.match(kept, /^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    assert.notEqual(await hash('correct horse'), kept)
    assert.equal(await verify('correct horse', kept), true)
    for (const wrong of ['correct hors', 'correct horse ', 'Correct horse', ''])
      assert.equal(await verify(wrong, kept), false)
  })

  test('are kept at 32 MiB and three rounds unless told otherwise', async () => {
    const standard = passwords()
    const kept = await standard.hash('x')
    assert.match(kept, /^\$scrypt\$ln=15,r=8,p=3\$/)
    assert.equal(await standard.verify('x', kept), true)
  })

  test('match hashes that others made', async () => {
    // RFC 7914 §12: scrypt("password", "NaCl", N=1024, r=8, p=16, 64 bytes).
    const hash = Buffer.from(
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
      'hex',
    )
    const vector = `$scrypt$ln=10,r=8,p=16$TmFDbA$${hash.toString('base64').replace(/=+$/, '')}`
    // The example of Passlib's documentation.
    const passlib = '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E'
    for (const kept of [vector, passlib]) {
      assert.equal(await verify('password', kept), true)
      assert.equal(await verify('passwort', kept), false)
      assert.equal(needsRehash(kept), true)
    }
  })

  test('are the same however a keyboard composes their letters', async () => {
    assert.equal(await verify('Caf\u0065\u0301', await hash('Caf\u00e9')), true)
  })

  test('of nobody are wrong, after the same work', async () => {
    const standard = passwords({ concurrent: 1 })
    const kept = await standard.hash('x')
    const cpuOf = async (kept: string | undefined) => {
      const before = process.cpuUsage()
      assert.equal(await standard.verify('wrong', kept), false)
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    await cpuOf(kept)
    const [known, unknown] = [await cpuOf(kept), await cpuOf(undefined)]
    // Other work of the machine is not in these numbers, and without the work the second is some hundredths of the first.
    assert.ok(unknown > known / 4, `${unknown} µs of work for nobody, ${known} for somebody`)
    assert.equal(await standard.verify('', null), false)
  })

  test('that are too long are refused when kept, and wrong when tried', async () => {
    const long = 'x'.repeat(4097)
    await assert.rejects(hash(long), UsageError)
    assert.equal(await verify(long, await hash('x')), false)
  })

  test('need another hash when the costs have changed', async () => {
    const kept = await hash('x')
    assert.equal(needsRehash(kept), false)
    for (const cost of [
      { ...quick, ln: 5 },
      { ...quick, r: 9 },
      { ...quick, p: 2 },
    ])
      assert.equal(passwords({ cost }).needsRehash(kept), true)
  })

  for (const kept of [
    '',
    'x',
    '$2b$10$abc',
    '$scrypt$ln=4,r=8,p=1$AAAA$AAAA',
    '$scrypt$ln=30,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
  ])
    test(`what is no hash of ours is told and not compared with: ${JSON.stringify(kept.slice(0, 24))}`, async () => {
      await assert.rejects(verify('x', kept), (error: MillraceError) => error.code === 'APP_BAD_HASH')
    })

  test('are worked on a few at a time; what comes on top of the queue is refused with 503', async () => {
    const few = passwords({ cost: { ln: 12, r: 8, p: 1 }, concurrent: 1, queue: 1 })
    const all = await Promise.allSettled([few.hash('a'), few.hash('b'), few.hash('c')])
    assert.deepEqual(
      all.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    )
    assert.ok((all[2] as PromiseRejectedResult).reason instanceof OverloadError)
    await few.hash('d')
  })

  test('of a client who leaves are not waited for', async () => {
    const few = passwords({ cost: { ln: 12, r: 8, p: 1 }, concurrent: 1, queue: 5 })
    const leaving = new AbortController()
    const first = few.hash('a')
    const second = few.hash('b', { signal: leaving.signal })
    leaving.abort(new Error('gone'))
    await assert.rejects(second, /gone/)
    await first
    await few.hash('c')
  })

  for (const cost of [
    { ln: 0, r: 8, p: 1 },
    { ln: 15.5, r: 8, p: 1 },
    { ln: 22, r: 8, p: 1 },
    { ln: 15, r: 8, p: 65 },
  ])
    test(`costs that cannot be are refused: ${JSON.stringify(cost)}`, () => {
      assert.throws(
        () => passwords({ cost }),
        (error: UsageError) => error.code === 'APP_SECURITY',
      )
    })
})
