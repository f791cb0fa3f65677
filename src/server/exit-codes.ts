// What the exit code of a Millrace command says; printed by --help and held by test/system/start.test.ts.

export const EXIT = {
  /** Stopped as asked. */
  stopped: 0,
  /** A fault of Millrace itself, or a Node that is too old. */
  fault: 1,
  /** Unknown command or flag, bad value of a setting. */
  usage: 2,
  /** The app could not be loaded, or did not start. */
  app: 3,
  /** The address is busy or cannot be bound, or another server has the pid file. */
  address: 4,
  /** A service that the app needs (an embedded database) could not be started. */
  service: 5,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** In the order of their codes, for --help and the reference. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.stopped, 'stopped as asked'],
  [EXIT.fault, 'a fault of Millrace itself, or a Node that is too old'],
  [EXIT.usage, 'unknown command or flag, or a bad value of a setting'],
  [EXIT.app, 'the app could not be loaded, or did not start'],
  [EXIT.address, 'the address is busy or cannot be bound, or another server has the pid file'],
  [EXIT.service, 'a service the app needs, such as its embedded database, could not be started'],
]
