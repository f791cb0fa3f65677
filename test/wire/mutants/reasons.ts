// Why our engine and node:http may differ about a request that ours accepts: each reason with its rule, reviewed one by one. What no
// reason explains is a bug in one of the two, and fails the run.
import type { Seen, SeenRequest } from './observe.ts'

export interface Difference {
  readonly bytes: Buffer
  readonly ours: Seen
  readonly node: Seen
  /** The first request in which they differ, or which only one of them has. */
  readonly at: number
}

export interface Reason {
  readonly name: string
  readonly rule: string
  explains(difference: Difference): boolean
}

export const REASONS: readonly Reason[] = [
  {
    name: 'HTTP/1.2 is served as 1.1',
    rule: 'RFC 9110 §2.5: a recipient treats a minor version that it does not know as the highest that it does',
    explains: ({ bytes, ours, node, at }) =>
      node.refusal === 'HPE_INVALID_VERSION' &&
      node.requests.length === at &&
      ours.requests.length > at &&
      / HTTP\/1\.[2-9]\r\n/.test(latin1(bytes)),
  },
  {
    name: 'a tab is whitespace',
    rule: 'RFC 9110 §5.6.3: optional whitespace is SP and HTAB; llhttp refuses HTAB behind a coding, and before 9.4 behind a length or around close',
    explains: ({ bytes, ours, node, at }) => {
      if (node.refusal === 'HPE_INVALID_TRANSFER_ENCODING' || node.refusal === 'HPE_INVALID_CONTENT_LENGTH')
        return /^(transfer-encoding:[ \t]*chunked|content-length:[ \t]*\d+)[ \t]*\t[ \t]*\r\n/im.test(latin1(bytes))
      // With an Upgrade beside it, llhttp takes a coding that it does not know for none, and the body for the next protocol.
      if (valuesOf(node.requests[at], 'upgrade').length > 0 && node.requests[at]!.body === '')
        return valuesOf(node.requests[at], 'transfer-encoding').length > 0 && /^transfer-encoding:.*\t\r\n/im.test(latin1(bytes))
      const last = ours.requests[at - 1]
      const isOver = ours.refusal === undefined && ours.requests.length === at && node.requests.length > at
      return isOver && optionsOf(last).includes('close') && valuesOf(last, 'connection').some(value => value.includes('\t'))
    },
  },
  {
    name: 'close wins over keep-alive',
    rule: 'RFC 9112 §9.3: with close among the options the connection does not persist, whatever else is there; node goes on',
    explains: ({ ours, node, at }) => {
      const options = optionsOf(ours.requests[at - 1])
      const isOver = ours.refusal === undefined && ours.requests.length === at
      return isOver && node.requests.length > at && options.includes('close') && options.includes('keep-alive')
    },
  },
  {
    name: 'an Upgrade that nobody takes is ignored',
    rule: 'RFC 9110 §7.8: a server may ignore it and go on in HTTP/1.1, as ours does; node hands over the connection and parses no more',
    explains: ({ ours, node, at }) => {
      const last = node.requests[at - 1]
      const isStopped = node.refusal === undefined && node.requests.length === at && ours.requests.length > at
      return isStopped && optionsOf(last).includes('upgrade') && valuesOf(last, 'upgrade').length > 0
    },
  },
]

function valuesOf(request: SeenRequest | undefined, name: string): string[] {
  return request?.fields.filter((_, n, fields) => n % 2 === 1 && fields[n - 1] === name) ?? []
}

function optionsOf(request: SeenRequest | undefined): string[] {
  return valuesOf(request, 'connection').flatMap(value => value.toLowerCase().split(',').map(option => option.trim()))
}

function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

