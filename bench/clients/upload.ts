// One upload of a given size, as fast as the server takes it.
import { request } from 'node:http'

export interface Upload {
  readonly port: number
  readonly path: string
  readonly bytes: number
}

export interface UploadReport {
  readonly status: number
  /** The start of the answer's body. */
  readonly answer: string
  readonly seconds: number
}

const PIECE = Buffer.alloc(256 * 1024, 'upload')

process.on('message', message => {
  void send(message as Upload).then(report => process.send!(report))
})
process.on('disconnect', () => process.exit())

function send({ port, path, bytes }: Upload): Promise<UploadReport> {
  const { promise, resolve, reject } = Promise.withResolvers<UploadReport>()
  const startMs = performance.now()
  const headers = { 'content-type': 'application/octet-stream', 'content-length': bytes }
  const outgoing = request({ port, host: '127.0.0.1', path, method: 'POST', headers }, response => {
    let answer = ''
    response.setEncoding('latin1').on('data', (text: string) => (answer = (answer + text).slice(0, 1_000)))
    response.on('end', () =>
      resolve({ status: response.statusCode!, answer, seconds: (performance.now() - startMs) / 1000 }),
    )
  })
  let left = bytes
  const go = () => {
    while (left > 0) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
      left -= piece.length
      if (!outgoing.write(piece)) return void outgoing.once('drain', go)
    }
    outgoing.end()
  }
  outgoing.on('error', reject)
  go()
  return promise
}
