import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formType, parsePartHead } from '../../src/app/part-head.ts'

const disposition = (value: string, more = '') => parsePartHead(Buffer.from(`\r\nContent-Disposition: ${value}${more}`))
const filename = (parameters: string) => disposition(`form-data; name="f"; ${parameters}`).filename
const refused = (run: () => unknown, code = 'APP_BAD_MULTIPART') => assert.throws(run, { code })

describe('the head of a part', () => {
  test('names a field, or a file with its type', () => {
    assert.deepEqual(disposition('form-data; name="a"'), {
      name: 'a',
      filename: undefined,
      type: 'application/octet-stream',
    })
    assert.deepEqual(disposition('form-data; name=a; filename=b.png', '\r\ncontent-type:  Image/PNG '), {
      name: 'a',
      filename: 'b.png',
      type: 'image/png',
    })
  })

  test('has quotes, semicolons and other scripts in its names', () => {
    assert.equal(disposition('form-data; name="a\\"b;c=d"').name, 'a"b;c=d')
    assert.equal(disposition('form-data; name="a%22b"').name, 'a"b')
    assert.equal(disposition('form-data; name="Größe"').name, 'Größe')
    assert.equal(filename('filename="c\\"d;e.txt"'), 'c"d;e.txt')
    assert.equal(filename('filename="名前.txt"'), '名前.txt')
  })

  test('has control characters in quoted names, as browsers send them, and nowhere else', () => {
    assert.equal(disposition('form-data; name="a\x08\x7fb"').name, 'a\x08\x7fb')
    assert.equal(filename('filename="bell\x07.txt"'), 'bell.txt')
    for (const bad of [
      'form-data;\x08 name="a"',
      'form-data; name="a\0"',
      'form-data; name="a\r"',
      'form-data; name="\n"',
    ])
      refused(() => disposition(bad))
    for (const line of [
      'X: a\x08b',
      'X: "a\x08b"',
      'Content-Type: text/plain; x="\x07"',
      'Content-Disposition-2: "\x07"',
    ])
      refused(() => disposition('form-data; name="a"', `\r\n${line}`))
  })

  test('is looked at in linear time', () => {
    // Of a text this long, quadratic time is minutes.
    for (const part of ['\\"', '"', '\\', '" "', '""', 'a', '\x01'])
      for (const start of ['form-data; name="\x01" "', 'form-data; x="\x01"; name="', 'form-data; name="a\x01'])
        refused(() => disposition(start + part.repeat(200_000), '\x01'))
  })

  test('has backslashes as browsers send them, one before the closing quote too', () => {
    assert.equal(disposition('form-data; name="\\"; filename=" "').name, '\\')
    assert.equal(disposition('form-data; name="a\\"; filename="b.txt"').filename, 'b.txt')
    assert.equal(disposition('form-data; name="a\\"; filename="\x07"').name, 'a\\')
    assert.equal(disposition('form-data; name="a\\""').name, 'a"')
    assert.equal(disposition('form-data; name="a\\\\"').name, 'a\\')
    assert.equal(disposition('form-data; name="a\\"; filename=b"').name, 'a"; filename=b')
    refused(() => disposition('form-data; name="a\\"; filename="b" "'))
  })

  test('gives a file name without folders, controls and marks of direction', () => {
    for (const sent of [
      '../../etc/passwd',
      '/etc/passwd',
      'C:\\Users\\me\\passwd',
      'C:\\\\Users\\\\passwd',
      '..\\passwd',
      'a%0D%0A/pass%0Awd',
    ])
      assert.equal(filename(`filename="${sent}"`), 'passwd', sent)
    assert.equal(filename('filename="exe.\u202efdp"'), 'exe.fdp')
    assert.equal(filename('filename="folder/"'), '')
  })

  test('prefers filename*, as UTF-8 or Latin-1, and refuses one that cannot be read', () => {
    assert.equal(filename(`filename="x.txt"; filename*=UTF-8''%e2%82%ac%20rates.txt`), '€ rates.txt')
    assert.equal(filename(`filename*=iso-8859-1'en'%A3.txt`), '£.txt')
    assert.equal(filename(`filename*=UTF-8''..%2F..%2Fpasswd`), 'passwd')
    for (const bad of [`filename*=UTF-16''x`, `filename*=x.txt`, `filename*=UTF-8''%zz`]) refused(() => filename(bad))
  })

  test('is refused without a form’s disposition or a name, with one twice, and with what is no field line', () => {
    refused(() => parsePartHead(Buffer.from('')))
    refused(() => parsePartHead(Buffer.from('\r\nX: y')))
    for (const bad of [
      'attachment; name="a"',
      'form-data',
      'form-data; filename="x"',
      'form-data; name="a',
      'form-data; name="a" junk',
    ])
      refused(() => disposition(bad))
    refused(() => disposition('form-data; name="a"; name="b"'))
    refused(() => disposition('form-data; name="a"; filename="x"; FileName="y"'))
    refused(() => disposition('form-data; name="a"', '\r\nContent-Disposition: form-data; name="b"'))
    for (const line of ['nonsense', ' folded: x', 'a b: x', ': x', 'X: a\0b', 'X: a\nb', 'X: a\rb'])
      refused(() => disposition('form-data; name="a"', `\r\n${line}`))
  })

  test('is refused with an encoding that would have to be decoded', () => {
    assert.equal(disposition('form-data; name="a"', '\r\nContent-Transfer-Encoding: 8BIT').name, 'a')
    refused(() => disposition('form-data; name="a"', '\r\nContent-Transfer-Encoding: base64'))
  })

  test('is refused with a name of over 256 characters', () => {
    assert.equal(disposition(`form-data; name="${'a'.repeat(256)}"`).name.length, 256)
    refused(() => disposition(`form-data; name="${'a'.repeat(257)}"`), 'APP_FORM_TOO_LARGE')
  })
})

describe('the content type of a form', () => {
  test('is urlencoded, or multipart with its boundary', () => {
    assert.equal(formType('application/x-www-form-urlencoded'), 'urlencoded')
    assert.equal(formType('Application/X-WWW-Form-Urlencoded; charset=UTF-8'), 'urlencoded')
    assert.deepEqual(formType('multipart/form-data; boundary=----x'), { boundary: '----x' })
    assert.deepEqual(formType('Multipart/Form-Data;charset=utf-8; Boundary="a b:c"'), { boundary: 'a b:c' })
  })

  test('is none with another type, junk or two in one', () => {
    for (const type of [
      'application/json',
      'text/plain',
      'multipart/mixed; boundary=x',
      'multipart/form-data boundary=x',
      'multipart/form-data; boundary=x junk',
      'multipart/form-data; boundary=x, multipart/form-data; boundary=y',
      'application/x-www-form-urlencoded, application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded; charset=latin1',
      'application/x-www-form-urlencodedx',
    ])
      assert.equal(formType(type), undefined, type)
  })

  test('is refused without a boundary, with two, or with one that may not be', () => {
    for (const parameters of [
      '',
      '; charset=utf-8',
      '; boundary=""',
      `; boundary=${'x'.repeat(71)}`,
      '; boundary="a "',
      '; boundary="a\\"b"',
    ])
      refused(() => formType(`multipart/form-data${parameters}`))
    refused(() => formType('multipart/form-data; boundary=a; boundary=b'))
  })
})
