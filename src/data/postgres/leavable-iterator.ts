// An async iterator that can be left while its next step is under way: callers who do not wait are served in turn, and whoever leaves ends what
// the others wait for. No generator: `return` of one would wait for the step that runs, however long the server takes for it.

export type End = { readonly done: true; readonly value: undefined }
export const END: End = { done: true, value: undefined }

export abstract class LeavableIterator<T> implements AsyncIterableIterator<T, undefined> {
  protected isEnded = false
  /** The last step asked for. */
  #turn: Promise<unknown> = Promise.resolve()

  /** Not called once it has ended, nor before the step before is over. */
  protected abstract step(): Promise<IteratorResult<T, undefined>>
  /** Ends what is under way, and gives back what it used. May be called again. */
  protected abstract leave(): Promise<void>

  next(): Promise<IteratorResult<T, undefined>> {
    const step = this.#turn.then(() => this.#next())
    this.#turn = step.catch(() => {})
    return step
  }

  /** Does not wait for its turn: what is asked for is what it ends. */
  async return(): Promise<End> {
    this.isEnded = true
    await this.leave()
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    if (this.isEnded) return END
    try {
      return await this.step()
    } catch (error) {
      // What was cancelled because nobody wants it any more has not failed.
      const isUnwanted = this.isEnded
      this.isEnded = true
      await this.leave()
      if (isUnwanted) return END
      throw error
    }
  }
}
