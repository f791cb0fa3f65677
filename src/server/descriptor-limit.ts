// How many descriptors this process may have open, and how many of them connections may take.

/** 0.4: each request may open files and connections of its own, and at the limit itself accept(2) fails and nothing can be answered. */
const CONNECTION_SHARE = 0.4

/** Where the system does not say (Windows has no such limit): what two descriptors in five would be at the usual 65,536. */
const FALLBACK_CONNECTIONS = 26_214

/** Read at each call: about 2 ms. */
export function defaultMaxConnections(): number {
  const limit = descriptorLimit()
  return limit === undefined ? FALLBACK_CONNECTIONS : connectionsWithin(limit)
}

export function connectionsWithin(descriptors: number): number {
  return Math.max(1, Math.floor(CONNECTION_SHARE * descriptors))
}

/**
 * Soft RLIMIT_NOFILE, which Node raises to the hard one when it starts; undefined where there is none, and Infinity for 'unlimited'.
 * The diagnostic report is the one place where Node tells it on every system.
 */
export function descriptorLimit(): number | undefined {
  const report = process.report as ProcessReport
  const { excludeNetwork } = report
  // Otherwise it resolves the names of all peers.
  report.excludeNetwork = true
  try {
    const soft = (report.getReport() as Limited).userLimits?.open_files?.soft
    return soft === 'unlimited' ? Infinity : typeof soft === 'number' ? soft : undefined
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}

// Since Node 22.0, and not in its types.
type ProcessReport = NodeJS.ProcessReport & { excludeNetwork: boolean }

interface Limited {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
}
