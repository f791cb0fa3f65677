// Which signal asks the supervisor for what. A handler only passes the wish on; what is done about it is the supervisor's.

export type Intention = 'stop' | 'stop-quickly' | 'reload' | 'more-workers' | 'fewer-workers' | 'reopen' | 'upgrade'

/** A second 'stop' counts as 'stop-quickly'. */
export const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, Intention>>> = {
  SIGTERM: 'stop',
  SIGINT: 'stop',
  SIGQUIT: 'stop-quickly',
  SIGHUP: 'reload',
  SIGTTIN: 'more-workers',
  SIGTTOU: 'fewer-workers',
  SIGUSR1: 'reopen',
  SIGUSR2: 'upgrade',
}

/** @returns the function that gives the signals back to Node */
export function onSignals(act: (intention: Intention, signal: NodeJS.Signals) => void): () => void {
  const entries = Object.entries(SIGNALS) as [NodeJS.Signals, Intention][]
  const handlers = entries.map(([signal, intention]) => [signal, () => act(intention, signal)] as const)
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
