// Who the caller is: one Authorization value, or a function that knows it and is asked again when the server refuses what it gave.

/**
 * Asked before every request, so it may look where the application keeps its token.
 *
 * @param rejected  the value that was answered with 401, where a new one is wanted; asked once for each, however many calls were refused
 * @returns 'Bearer ...', or undefined for none
 */
export type Authorize = (rejected?: string) => string | undefined | Promise<string | undefined>

export class Authorization {
  readonly #source: string | Authorize | undefined
  readonly #renewals = new Map<string, Promise<string | undefined>>()

  constructor(source: string | Authorize | undefined) {
    this.#source = source
  }

  value(): string | undefined | Promise<string | undefined> {
    return typeof this.#source === 'function' ? this.#source() : this.#source
  }

  /** @returns another value than the refused one, or undefined where there is none */
  async afterRefusal(rejected: string): Promise<string | undefined> {
    const source = this.#source
    if (typeof source !== 'function') return undefined
    let renewal = this.#renewals.get(rejected)
    if (!renewal) {
      renewal = Promise.resolve(source(rejected)).finally(() => this.#renewals.delete(rejected))
      this.#renewals.set(rejected, renewal)
    }
    const renewed = await renewal
    return renewed === rejected ? undefined : renewed
  }
}
