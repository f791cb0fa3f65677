// Two signals as one, where either may be missing.

export function anyOf(first: AbortSignal | undefined, second: AbortSignal | undefined): AbortSignal | undefined {
  return first && second && first !== second ? AbortSignal.any([first, second]) : (first ?? second)
}
