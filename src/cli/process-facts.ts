// What `millrace doctor` finds in the place where it runs: Node, processors, open files, process 1.
import { availableParallelism } from 'node:os'
import { cpuQuota, memoryLimit, processors } from '../server/cgroup.ts'
import { connectionsWithin, descriptorLimit } from '../server/descriptor-limit.ts'
import type { Settings } from '../server/settings.ts'
import { surroundingWarnings } from '../server/surroundings.ts'
import type { Fact, Section } from './doctor-report.ts'

// Below it some hundred connections use up a worker; what distributions give as the soft limit, which Node raises to the hard one.
const FEW_DESCRIPTORS = 4096

export function processSection(settings: Settings): Section {
  return {
    title: 'This machine',
    facts: [
      { mark: ' ', name: 'Node', text: `${process.versions.node} on ${process.platform} ${process.arch}` },
      processorFact(settings),
      memoryFact(),
      descriptorFact(settings, descriptorLimit()),
      ...surroundingWarnings(process.pid).map((text): Fact => ({ mark: '~', name: 'process 1', text })),
    ],
  }
}

function processorFact({ workers, maxWorkers }: Settings): Fact {
  const usable = processors()
  const quota = cpuQuota()
  const share = quota === undefined ? '' : `, by a quota of ${quota} of the container's`
  const most = maxWorkers ?? workers
  const isMore = most > usable
  return {
    mark: isMore ? '~' : ' ',
    name: 'processors',
    text:
      `${usable} of ${Math.max(usable, availableParallelism())}${share}; ${most} ${most === 1 ? 'worker' : 'workers'} at most` +
      (isMore ? ', more than can run at a time: --workers auto' : ''),
  }
}

function memoryFact(): Fact {
  const limit = memoryLimit()
  const text = limit === undefined ? 'no limit of a container' : `${Math.round(limit / 2 ** 20)} MiB in this container`
  return { mark: ' ', name: 'memory', text }
}

function descriptorFact({ maxConnections }: Settings, limit: number | undefined): Fact {
  const name = 'open files'
  if (limit === undefined || limit === Infinity) return { mark: ' ', name, text: 'no limit' }
  const most = maxConnections === 'auto' ? connectionsWithin(limit) : maxConnections
  const text = `${limit} in each process; a worker takes at most ${most} connections`
  if (most >= limit)
    return {
      mark: '!',
      name,
      text: `${text} (maxConnections), which is more: raise the limit (ulimit -n, LimitNOFILE=)`,
    }
  if (limit < FEW_DESCRIPTORS) return { mark: '~', name, text: `${text}; raise the limit (ulimit -n, LimitNOFILE=)` }
  return { mark: ' ', name, text }
}
