import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { attachment } from '../../src/app/content-disposition.ts'
import { encodeFields } from '../../src/http/prepared-head.ts'

describe('a name to save under', () => {
  test('is quoted, and given in UTF-8 as well where ASCII cannot say it', () => {
    assert.equal(attachment('report.pdf'), 'attachment; filename="report.pdf"')
    assert.equal(attachment('a "b" c.txt'), 'attachment; filename="a \\"b\\" c.txt"')
    assert.equal(
      attachment('Übersicht €.pdf'),
      `attachment; filename="_bersicht _.pdf"; filename*=UTF-8''%C3%9Cbersicht%20%E2%82%AC.pdf`,
    )
    assert.equal(
      attachment("日本'(1)*.txt"),
      `attachment; filename="__'(1)*.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%27%281%29%2A.txt`,
    )
    assert.equal(attachment('100%25.txt'), `attachment; filename="100%25.txt"; filename*=UTF-8''100%2525.txt`)
    assert.equal(attachment('😀.png'), `attachment; filename="_.png"; filename*=UTF-8''%F0%9F%98%80.png`)
  })

  test('holds no folder, no control and nothing that turns the text round', () => {
    assert.equal(attachment('../../etc/passwd'), 'attachment; filename="passwd"')
    assert.equal(attachment('C:\\Windows\\a.exe'), 'attachment; filename="a.exe"')
    assert.equal(attachment('a\r\nset-cookie: b'), 'attachment; filename="aset-cookie: b"')
    assert.equal(attachment('exe.\u202efdp'), 'attachment; filename="exe.fdp"')
    assert.equal(attachment('a/'), 'attachment')
  })

  test('can always be sent, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        name => encodeFields(['content-disposition', attachment(name)]) !== '',
      ),
    )
    assert.ok(encodeFields(['content-disposition', attachment('\ud800.txt')]))
  })
})
