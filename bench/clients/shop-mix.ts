// The shop's customers: connections that each ask for something, think, and ask for the next thing, as a mix says; and what became of it.
//
// The time to think is drawn anew for each question, so that questions come as those of independent people do. A latency counts from the moment at
// which thinking was to end: what a busy server, or this client, is late by is in it.
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../harness/percentile.ts'

export interface ShopMix {
  readonly port: number
  readonly connections: number
  /** On average, between an answer and the next question; 0: none. */
  readonly thinkMs: number
  readonly seconds: number
  readonly products: number
  readonly adminKey: string
}

export type Kind = 'product' | 'search' | 'cart' | 'order' | 'stock'

export interface KindReport {
  readonly answered: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface ShopMixReport extends KindReport {
  readonly connections: number
  readonly perSecond: number
  readonly mostMs: number
  /** By what happened: a status that no customer should see, or `lost`. */
  readonly errors: Readonly<Record<string, number>>
  readonly kinds: Readonly<Record<Kind, KindReport>>
  /** How late this client was in asking: what it adds to the latencies by itself. */
  readonly lateP99Ms: number
}

/** Of a hundred; the rest reads a product. */
const SHARES: readonly (readonly [Kind, number])[] = [
  ['search', 10],
  ['cart', 5],
  ['order', 4],
  ['stock', 1],
]
const WORDS = ['desk', 'lamp', 'chair', 'mug', 'rug', 'shelf', 'kettle', 'trainers', 'jacket', 'tent', 'pan', 'clock']
/** What is not answered so long after the end has failed. */
const LAST_ANSWER_MS = 10_000
/** Opened at once: a rush of thousands is another bench. */
const OPENED_TOGETHER = 100

process.on('message', message => {
  void run(message as ShopMix).then(report => process.send!(report))
})
process.on('disconnect', () => process.exit())

async function run(mix: ShopMix): Promise<ShopMixReport> {
  const tally = new Tally()
  const zipf = zipfian(mix.products)
  const customers: Customer[] = []
  while (customers.length < mix.connections) {
    const opening = Array.from({ length: Math.min(OPENED_TOGETHER, mix.connections - customers.length) }, () =>
      Customer.open(mix, zipf, tally),
    )
    customers.push(...(await Promise.all(opening)))
  }
  const beganMs = performance.now()
  const untilMs = beganMs + mix.seconds * 1_000
  const all = Promise.all(customers.map(customer => customer.shop(untilMs)))
  await Promise.race([all, pause(mix.seconds * 1_000 + LAST_ANSWER_MS, undefined, { ref: false })])
  for (const customer of customers) customer.leave()
  return tally.report(mix, (performance.now() - beganMs) / 1_000)
}

class Tally {
  readonly latencies: Record<Kind, number[]> = { product: [], search: [], cart: [], order: [], stock: [] }
  readonly late: number[] = []
  readonly errors: Record<string, number> = {}

  failed(why: string): void {
    this.errors[why] = (this.errors[why] ?? 0) + 1
  }

  report({ connections }: ShopMix, seconds: number): ShopMixReport {
    const all = Object.values(this.latencies).flat()
    const kinds = Object.entries(this.latencies).map(([kind, latencies]) => [kind, figures(latencies)])
    return {
      connections,
      perSecond: all.length / seconds,
      ...figures(all),
      mostMs: percentile(all, 100),
      errors: this.errors,
      kinds: Object.fromEntries(kinds) as Record<Kind, KindReport>,
      lateP99Ms: percentile(this.late, 99),
    }
  }
}

function figures(latencies: readonly number[]): KindReport {
  return { answered: latencies.length, p50Ms: percentile(latencies, 50), p99Ms: percentile(latencies, 99) }
}

class Customer {
  readonly #mix: ShopMix
  readonly #zipf: () => number
  readonly #tally: Tally
  readonly #line: Line
  #cart: string | undefined
  #isCartEmpty = true

  private constructor(mix: ShopMix, zipf: () => number, tally: Tally, line: Line) {
    this.#mix = mix
    this.#zipf = zipf
    this.#tally = tally
    this.#line = line
  }

  static async open(mix: ShopMix, zipf: () => number, tally: Tally): Promise<Customer> {
    return new Customer(mix, zipf, tally, await Line.open(mix.port))
  }

  async shop(untilMs: number): Promise<void> {
    for (;;) {
      const dueMs = performance.now() + this.#thinkMs()
      if (dueMs >= untilMs || this.#line.isLeft) return
      await pause(Math.max(0, dueMs - performance.now()))
      // A timer takes whole milliseconds: one that is early is no answer that is.
      const fromMs = Math.min(dueMs, performance.now())
      this.#tally.late.push(Math.max(0, performance.now() - dueMs))
      const kind = drawKind()
      try {
        await this.#do(kind)
        this.#tally.latencies[kind].push(performance.now() - fromMs)
      } catch (error) {
        if (this.#line.isLeft) return
        this.#tally.failed((error as Error).message)
        if (!this.#line.isOpen) await this.#line.reopen()
      }
    }
  }

  leave(): void {
    this.#line.leave()
  }

  /** Exponential, as between independent people. */
  #thinkMs(): number {
    return this.#mix.thinkMs === 0 ? 0 : -Math.log(1 - Math.random()) * this.#mix.thinkMs
  }

  async #do(kind: Kind): Promise<void> {
    switch (kind) {
      case 'product':
        await this.#ask(200, 'GET', `/products/${this.#zipf()}`)
        return
      case 'search':
        await this.#ask(200, 'GET', `/products/search?q=${WORDS[Math.floor(Math.random() * WORDS.length)]}&limit=20`)
        return
      case 'cart':
        await this.#put()
        return
      case 'order': {
        if (this.#isCartEmpty) await this.#put()
        const cartId = this.#cart
        this.#cart = undefined
        this.#isCartEmpty = true
        await this.#ask(201, 'POST', '/orders', { cartId, email: 'customer@example.com' })
        return
      }
      case 'stock':
        await this.#ask(200, 'PATCH', `/products/${this.#zipf()}`, { stock: 1_000_000 })
    }
  }

  /** Into a cart of their own, which they take first. */
  async #put(): Promise<void> {
    if (this.#cart === undefined) {
      const body = await this.#ask(201, 'POST', '/carts')
      this.#cart = (JSON.parse(body) as { id: string }).id
    }
    await this.#ask(200, 'POST', `/carts/${this.#cart}/items`, { productId: this.#zipf(), quantity: 1 })
    this.#isCartEmpty = false
  }

  /** @returns the body. @throws Error with the status when it is another one */
  async #ask(expected: number, method: string, path: string, body?: object): Promise<string> {
    const { adminKey, port } = this.#mix
    const text = body === undefined ? '' : JSON.stringify(body)
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      ...(method === 'PATCH' ? [`X-API-Key: ${adminKey}`] : []),
      ...(body === undefined ? [] : ['Content-Type: application/json']),
      ...(method === 'GET' ? [] : [`Content-Length: ${Buffer.byteLength(text)}`]),
    ]
    const answer = await this.#line.ask(`${lines.join('\r\n')}\r\n\r\n${text}`)
    if (answer.status !== expected) throw new Error(`${method} ${path.replace(/[\d?].*/, '')} ${answer.status}`)
    return answer.body
  }
}

function drawKind(): Kind {
  let drawn = Math.random() * 100
  for (const [kind, share] of SHARES) if ((drawn -= share) < 0) return kind
  return 'product'
}

/** Few are asked for by many: the n-th by a share of 1/n. @returns draws 1 to `count` */
function zipfian(count: number): () => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let n = 0; n < count; n++) sums[n] = sum += 1 / (n + 1)
  return () => {
    const drawn = Math.random() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < drawn) low = middle + 1
      else high = middle
    }
    return low + 1
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

interface Asked {
  readonly bytes: string
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** A kept connection, one question at a time. One that was closed while it idled is opened again and asked again (RFC 9112 §9.3.1). */
class Line {
  readonly #port: number
  #socket: Socket | undefined
  #text = ''
  #asked: Asked | undefined
  isOpen = false
  isLeft = false

  private constructor(port: number) {
    this.#port = port
  }

  static async open(port: number): Promise<Line> {
    const line = new Line(port)
    await line.reopen()
    return line
  }

  reopen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
      this.#socket = socket
      this.#text = ''
      socket.setEncoding('utf8')
      socket.once('connect', () => {
        this.isOpen = true
        resolve()
      })
      socket.on('data', (text: string) => this.#take(text))
      socket.on('error', reject)
      socket.on('close', () => {
        if (this.#socket === socket) this.#closed()
      })
    })
  }

  async ask(bytes: string): Promise<Answer> {
    const wasOpen = this.isOpen
    if (!wasOpen) await this.reopen()
    try {
      return await this.#send(bytes)
    } catch (error) {
      if (this.isLeft || this.#text !== '' || !wasOpen) throw error
      await this.reopen()
      return this.#send(bytes)
    }
  }

  leave(): void {
    this.isLeft = true
    this.#socket?.destroy()
  }

  #send(bytes: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#asked = { bytes, resolve, reject }
      this.#socket!.write(bytes)
    })
  }

  #take(text: string): void {
    this.#text += text
    const headEnd = this.#text.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const head = this.#text.slice(0, headEnd)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    const body = this.#text.slice(headEnd + 4)
    // Characters and bytes differ for what is not ASCII.
    if (Buffer.byteLength(body) < length) return
    const asked = this.#asked
    this.#asked = undefined
    this.#text = ''
    asked?.resolve({ status: Number(head.slice(9, 12)), body })
  }

  #closed(): void {
    this.isOpen = false
    const asked = this.#asked
    this.#asked = undefined
    asked?.reject(new Error('lost'))
  }
}
