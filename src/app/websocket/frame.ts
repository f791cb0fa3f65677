// One message as one frame, as a server sends it: whole, and not masked (RFC 6455 §5.2).
import type { Sent } from './message-codec.ts'

const TEXT = 0x81
const BYTES = 0x82

/** @param isText  of bytes: they are UTF-8 */
export function frameOf(sent: Sent, isText: boolean): Buffer {
  const length = typeof sent === 'string' ? Buffer.byteLength(sent) : sent.length
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = isText ? TEXT : BYTES
  if (start === 2) frame[1] = length
  else if (start === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2)
    frame.writeUInt32BE(length % 2 ** 32, 6)
  }
  if (typeof sent === 'string') frame.write(sent, start, 'utf8')
  else frame.set(sent, start)
  return frame
}
