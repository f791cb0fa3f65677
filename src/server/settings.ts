// Every setting of the server, one row each. Flag, environment variable, validation, --help and docs/reference/settings.md follow
// from the row; a new setting is a new row and nothing else.
import { DEFAULT_SLOW_QUERY_MS } from '../core/host.ts'
import { DEFAULT_LIMITS, type Limits } from '../http/limits.ts'
import { processors } from './cgroup.ts'
import {
  addressOrOff,
  countOrAuto,
  countOrOff,
  descriptor,
  duration,
  durationOrOff,
  fileMode,
  forwardedFields,
  list,
  oneOf,
  onOrOff,
  pathOrAutoOrOff,
  pathPrefix,
  proxies,
  requestsOrOff,
  type SettingType,
  size,
  sizeOrAuto,
  text,
  wholeNumber,
  workerCount,
} from './setting-types.ts'

export type Command = 'serve' | 'dev'

export interface Setting<T> {
  readonly type: SettingType<T>
  /** As shown in help; where the commands differ, one each. Undefined: unset. */
  readonly default: { readonly serve: T; readonly dev: T }
  /** Variables read besides MILLRACE_<NAME>, which comes first: what platforms set. */
  readonly variables: readonly string[]
  /** Commands that know the setting. */
  readonly commands: readonly Command[]
  /** One sentence, no final dot. */
  readonly meaning: string
  /** The engine's limit that this sets. */
  readonly limit: keyof Limits | undefined
  /** Left out of --help: hardly anybody needs it. The reference has all. */
  readonly isRare: boolean
  /** Never printed. */
  readonly isSecret: boolean
}

interface Row<T> {
  readonly type: SettingType<T>
  readonly default: NoInfer<T>
  readonly dev?: NoInfer<T>
  readonly variables?: readonly string[]
  readonly commands?: readonly Command[]
  readonly meaning: string
  readonly limit?: keyof Limits
  readonly isRare?: boolean
  readonly isSecret?: boolean
}

function row<T>(facts: Row<T>): Setting<T> {
  return {
    type: facts.type,
    default: { serve: facts.default, dev: 'dev' in facts ? facts.dev : facts.default },
    variables: facts.variables ?? [],
    commands: facts.commands ?? ['serve', 'dev'],
    meaning: facts.meaning,
    limit: facts.limit,
    isRare: facts.isRare ?? false,
    isSecret: facts.isSecret ?? false,
  }
}

/** A limit of the engine; where its number comes from stands in http/limits.ts. */
function limit(name: keyof Limits, type: SettingType<number>, meaning: string): Setting<number> {
  return row({ type, default: DEFAULT_LIMITS[name], limit: name, meaning })
}

function rareLimit(name: keyof Limits, type: SettingType<number>, meaning: string): Setting<number> {
  return { ...limit(name, type, meaning), isRare: true }
}

export const SETTINGS = {
  config: row({
    type: text('FILE', 'the path of a module whose default export is an object of settings'),
    default: '',
    meaning: 'read settings from this file instead of millrace.config.ts',
  }),
  dotenv: row({
    type: text('FILE', 'the path of a file of variables'),
    default: '',
    meaning: 'read variables from this file instead of .env',
  }),
  host: row({
    type: text('HOST', 'an IP address or a host name'),
    default: '0.0.0.0',
    dev: '127.0.0.1',
    variables: ['HOST'],
    meaning: 'address to listen on; :: is every interface, for IPv6 and IPv4',
  }),
  port: row({
    type: wholeNumber(0, 65535),
    default: 8000,
    variables: ['PORT'],
    meaning: 'port to listen on; 0 picks a free one and prints it',
  }),
  uds: row({
    type: text('PATH', 'the path of a unix socket, at most 107 bytes'),
    default: '',
    meaning: 'listen on this unix socket instead of host and port; removed at exit',
  }),
  udsMode: row({
    type: fileMode,
    default: 0o666,
    isRare: true,
    meaning: 'who may connect to the unix socket: the mode of its file',
  }),
  fd: row({
    type: descriptor,
    default: null,
    meaning: 'listen on this inherited socket instead; one that systemd hands over is found by itself',
  }),
  tlsCert: row({
    type: text('FILE', 'a PEM file: the certificate, then those of its issuers'),
    default: '',
    meaning: 'serve HTTPS with this certificate; a new one in its place is used without a restart',
  }),
  tlsKey: row({
    type: text('FILE', 'a PEM file'),
    default: '',
    meaning: 'private key of the certificate',
  }),
  tlsKeyPassword: row({
    type: text('TEXT', 'the password of the key'),
    default: '',
    isRare: true,
    isSecret: true,
    meaning: 'password of an encrypted key; a flag can be seen by every user of the machine, a variable cannot',
  }),
  tlsCa: row({
    type: text('FILE', 'a PEM file of one or more certificates'),
    default: '',
    meaning: 'clients show a certificate that one of these has issued',
  }),
  tlsClients: row({
    type: oneOf('require', 'request'),
    default: 'require',
    isRare: true,
    meaning: 'with tlsCa: whether a client without a valid certificate is refused, or served without one',
  }),
  tlsMinVersion: row({
    type: oneOf('1.2', '1.3'),
    default: '1.2',
    isRare: true,
    meaning: 'oldest version of TLS that is spoken',
  }),
  // 10 s: as long as a request head may take; a handshake is two round trips.
  tlsHandshakeTimeout: row({
    type: duration,
    default: 10_000,
    isRare: true,
    meaning: 'time from the beginning of a connection to the end of its TLS handshake',
  }),
  http2: row({
    type: onOrOff,
    default: true,
    meaning: 'offer HTTP/2 over TLS, beside HTTP/1.1',
  }),
  // 511 is Node's default and silently cut by net.core.somaxconn (4096 on Linux since 5.4); uvicorn and gunicorn use 2048.
  backlog: row({
    type: wholeNumber(1, 65535),
    default: 2048,
    meaning: 'connections the kernel may hold until a worker accepts them',
  }),
  trustedProxies: row({
    type: proxies,
    default: [],
    meaning: 'peers that may say who the client is; every other peer is the client',
  }),
  // Not forwarded and x-forwarded-host: nginx, and most proxies as they come, pass on what the client says in them.
  forwardedFields: row({
    type: forwardedFields,
    default: ['x-forwarded-for', 'x-forwarded-proto'],
    isRare: true,
    meaning: 'fields believed from a trusted proxy; name only those that every one of them sets or removes',
  }),
  rootPath: row({
    type: pathPrefix,
    default: '',
    meaning: 'path that a proxy puts before every other, taken off or not; links and documents have it',
  }),
  proxyProtocol: row({
    type: onOrOff,
    default: false,
    meaning: 'trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2',
  }),
  maxConnections: row({
    type: countOrAuto,
    default: 'auto',
    meaning: 'most connections of one worker; auto is 0.4 of the descriptors that it may have open',
  }),
  // Off: an office or a mobile network shares one address, and what is right for a site is a nuisance for its neighbour.
  maxConnectionsPerAddress: row({
    type: countOrOff,
    default: null,
    meaning:
      'most connections of one client address (IPv6: of its first 64 bits) in one worker; trusted proxies have no limit',
  }),
  workers: row({
    type: workerCount(processors),
    default: 1,
    variables: ['WEB_CONCURRENCY'],
    commands: ['serve'],
    meaning:
      'number of worker processes; auto is one for each processor this process may use, by a quota of its container too',
  }),
  rebalance: row({
    type: onOrOff,
    default: true,
    isRare: true,
    commands: ['serve'],
    meaning: 'a worker with over a tenth more connections than the mean ends some with their next answer',
  }),
  maxWorkers: row({
    type: countOrOff,
    default: null,
    commands: ['serve'],
    meaning: 'with busy event loops grow from workers to so many, one by one, and shrink again; off keeps the number',
  }),
  replicas: row({
    type: wholeNumber(1, 10_000),
    default: 1,
    meaning: 'hosts that run this app at a time, each with as many workers: connections to a database are shared out',
  }),
  admin: row({
    type: addressOrOff,
    default: { host: '127.0.0.1', port: 9000 },
    meaning: 'address of /livez, /readyz, /startupz, /metrics and /status; off turns it off',
  }),
  // By the names of gunicorn, which has had them since 26.
  controlSocket: row({
    type: pathOrAutoOrOff,
    default: 'auto',
    meaning: 'unix socket that millrace ctl speaks to; auto is one of its own in a private folder',
  }),
  controlSocketMode: row({
    type: fileMode,
    default: 0o600,
    isRare: true,
    meaning: 'who may command the server: the mode of the control socket',
  }),
  pidfile: row({
    type: text('PATH', 'a path'),
    default: '',
    meaning: 'file that names the process of the server, for scripts that signal it; removed at the end',
  }),
  // 30 s: gunicorn's graceful_timeout and the terminationGracePeriodSeconds of Kubernetes.
  graceTimeout: row({
    type: duration,
    default: 30_000,
    dev: 2_000,
    meaning: 'time that requests in flight get to finish when a worker stops',
  }),
  drainDelay: row({
    type: duration,
    default: 0,
    meaning: 'on TERM, time between readiness going red and the end of accepting, for a balancer to notice',
  }),
  startTimeout: row({
    type: duration,
    default: 60_000,
    meaning: 'time a worker gets until it is ready',
  }),
  // 10 s: ten heartbeats. Node's own long pauses (a large heap collected, a machine swapping) stay below; gunicorn waits 30 s.
  workerTimeout: row({
    type: durationOrOff,
    default: 10_000,
    meaning: 'time the event loop of a worker may be blocked; then it is reported, killed 2 s later and replaced',
  }),
  maxRequests: row({
    type: requestsOrOff,
    default: null,
    commands: ['serve'],
    meaning: 'requests after which a worker is replaced, the new one ready first',
  }),
  maxRequestsJitter: row({
    type: wholeNumber(0),
    default: 0,
    commands: ['serve'],
    meaning: 'up to so many requests more than maxRequests, by chance, so that workers are not replaced all at once',
  }),
  maxWorkerAge: row({
    type: durationOrOff,
    default: null,
    commands: ['serve'],
    meaning: 'age at which a worker is replaced, the new one ready first',
  }),
  maxWorkerMemory: row({
    type: sizeOrAuto,
    default: 'auto',
    commands: ['serve'],
    meaning:
      'resident memory beyond which a worker is replaced, the new one ready first; auto is 0.8 of its share of what the container, or the machine, allows',
  }),
  reportDir: row({
    type: text('DIR', 'a directory'),
    default: '',
    isRare: true,
    meaning:
      'where the diagnostic reports of blocked workers go; by default a new folder for temporary files, of this user alone',
  }),
  slowQuery: row({
    type: durationOrOff,
    default: DEFAULT_SLOW_QUERY_MS,
    meaning: 'a statement to a database that takes longer, with its waiting for a connection, is logged with its route',
  }),
  requestTimeout: row({
    type: duration,
    default: 30_000,
    meaning: 'time to the head of the response, unless the route says otherwise',
  }),
  keepAliveTimeout: limit(
    'keepAliveTimeoutMs',
    duration,
    'time an idle connection stays open; make it longer than that of a balancer in front',
  ),
  headTimeout: limit('headTimeoutMs', duration, 'time from the first byte of a request to the end of its head'),
  writeTimeout: limit('writeStallMs', duration, 'time a client may take no byte of its response before it is dropped'),
  maxBody: limit('maxBodyBytes', size, 'largest request body, unless the route says otherwise'),
  maxHead: limit('maxHeadBytes', size, 'largest request head, request line and fields together'),
  maxTarget: limit('maxTargetBytes', size, 'longest request target'),
  maxFields: limit('maxFields', wholeNumber(1, 10_000), 'most fields in a request head'),
  minBodyRate: rareLimit(
    'bodyMinBytesPerSecond',
    size,
    'slowest request body accepted, per second, after minRateGrace',
  ),
  minReadRate: rareLimit(
    'responseMinBytesPerSecond',
    size,
    'slowest reader of a response, per second, after minRateGrace',
  ),
  minRateGrace: rareLimit('minRateGraceMs', duration, 'time before minBodyRate and minReadRate are applied'),
  maxChunkExtension: rareLimit('maxChunkExtensionBytes', size, 'most bytes of extensions in one chunk'),
  maxExtensions: rareLimit('maxExtensionsBytes', size, 'most bytes of chunk extensions in one request'),
  maxTrailers: rareLimit('maxTrailerBytes', size, 'largest trailer section of a chunked request'),
  gatherSize: rareLimit('gatherBytes', size, 'a body up to this size is waited for before the handler runs'),
  gatherTime: rareLimit('gatherMs', duration, 'longest wait for such a body'),
  maxReadAhead: rareLimit('maxReadAheadBytes', size, 'bytes read ahead of the handler on one connection'),
  pipelineDepth: rareLimit('maxReadAhead', wholeNumber(1, 1000), 'pipelined requests read ahead on one connection'),
  maxStreams: rareLimit('maxStreams', wholeNumber(1, 10_000), 'requests under way at a time on one HTTP/2 connection'),
  maxResets: rareLimit(
    'maxResets',
    wholeNumber(0, 1_000_000),
    'requests that an HTTP/2 client may cancel beyond those it lets be answered',
  ),
  requestsPerTurn: rareLimit(
    'requestsPerTurn',
    wholeNumber(1, 10_000),
    'pipelined requests served on one connection before others get their turn',
  ),
  maxRequestsPerConnection: rareLimit(
    'maxRequestsPerConnection',
    wholeNumber(0),
    'most requests on one connection, up to a tenth fewer by chance; 0 is no limit',
  ),
  lingerTime: rareLimit('lingerMs', duration, 'time a connection closed after an error is still read'),
  hooks: row({
    type: text('FILE', 'the path of a module that exports onStart, onReady, onReload or onStop'),
    default: '',
    meaning: 'functions that run once for the server: before its workers, and after them',
  }),
  logLevel: row({
    type: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    meaning: 'least severe line that is logged',
  }),
  reloadDir: row({
    type: list('DIR', 'a directory, or several separated by commas'),
    default: ['.'],
    commands: ['dev'],
    meaning: 'directories whose changes reload the app',
  }),
} satisfies Readonly<Record<string, Setting<any>>>

/** They say where others are read from: flag and environment alone can. */
export const PLACES = ['config', 'dotenv'] as const satisfies readonly (keyof typeof SETTINGS)[]

export type SettingName = keyof typeof SETTINGS

/** The value of every setting: durations in milliseconds, sizes in bytes, `uds` '' when unset, `admin` null when off. */
export type Settings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer T> ? T : never
}

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[]

/** graceTimeout -> grace-timeout. */
export function flagOf(name: SettingName): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** graceTimeout -> MILLRACE_GRACE_TIMEOUT, then the names that platforms set. */
export function variablesOf(name: SettingName): readonly string[] {
  return [`MILLRACE_${flagOf(name).replaceAll('-', '_').toUpperCase()}`, ...SETTINGS[name].variables]
}

export function settingsOf(command: Command): readonly SettingName[] {
  return SETTING_NAMES.filter(name => SETTINGS[name].commands.includes(command))
}
