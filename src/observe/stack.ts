// The stack of an error as a person wants it: the frames of the application, and of Millrace, its packages and Node only how many they are.
import { MillraceError } from '../core/error.ts'

const MILLRACE = new URL('..', import.meta.url).href

/** Our own errors say in words what is wrong; where in our code that was found helps little. */
const KEPT_OF_OURS = 3

/** @returns message and frames; where no frame is the application's, they are the only trace of the error and stay */
export function readableStack(error: Error): string {
  const { stack } = error
  if (typeof stack !== 'string') return error.message
  const lines = stack.split('\n')
  const isFrame = (line: string) => /^ +at /.test(line)
  const frames = lines.filter(isFrame)
  const theirs = frames.filter(isApplicationFrame)
  const kept = theirs.length > 0 ? theirs : error instanceof MillraceError ? frames.slice(0, KEPT_OF_OURS) : frames
  const leftOut = frames.length - kept.length
  if (leftOut === 0) return stack
  const note = `    (and ${leftOut} ${leftOut === 1 ? 'frame' : 'frames'} inside millrace, packages and Node)`
  return [...lines.filter(line => !isFrame(line)), ...kept, note].join('\n')
}

/** Neither Millrace's, nor a package's, nor Node's. @param frame  a line of a stack that begins with "at" */
export function isApplicationFrame(frame: string): boolean {
  return !frame.includes(MILLRACE) && !/[\\/]node_modules[\\/]|\bnode:|<anonymous>\)?$|\(index \d+\)$/.test(frame)
}
