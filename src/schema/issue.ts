// One thing that is wrong with an input: what kind of wrong, where, and with which value.

export interface Issue {
  /** Pydantic's name for it: 'missing', 'int_parsing', 'string_type', 'greater_than', 'extra_forbidden', ... */
  readonly type: string
  /** Where it was found, starting with the place: `['query', 'page']`, `['body', 'items', 0, 'price']`. */
  readonly loc: readonly (string | number)[]
  /** A sentence for people, from the schema's own message where it has one. */
  readonly msg: string
  /** The value found there. For a missing field of an object, that object; for a missing parameter, null. */
  readonly input: unknown
  /** The figures of the rule that was broken, under Pydantic's names: `{ gt: 0 }`, `{ max_length: 10 }`. */
  readonly ctx?: Readonly<Record<string, unknown>>
}
