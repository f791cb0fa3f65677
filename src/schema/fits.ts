// Whether a JSON value fits a described schema: used to choose the member of a union, where the real validator cannot say which
// member it took. Formats and a few rare keywords are not looked at; the validator has the last word.
import { type Described, type Node, resolve, typesOf } from './described.ts'

export function fits(node: Node, value: unknown, components: Described['components']): boolean {
  const at = resolve(node, components)
  if (!allowsType(at, value)) return false
  if (at.const !== undefined && at.const !== value) return false
  if (at.enum && !at.enum.includes(value)) return false
  if (at.not && fits(at.not, value, components)) return false
  if (at.anyOf && !at.anyOf.some(member => fits(member, value, components))) return false
  if (at.oneOf && !at.oneOf.some(member => fits(member, value, components))) return false
  if (at.allOf && !at.allOf.every(member => fits(member, value, components))) return false
  if (typeof value === 'string') return stringFits(at, value)
  if (typeof value === 'number') return numberFits(at, value)
  if (Array.isArray(value)) return arrayFits(at, value, components)
  if (typeof value === 'object' && value !== null) return objectFits(at, value as Record<string, unknown>, components)
  return true
}

function allowsType(node: Node, value: unknown): boolean {
  const types = typesOf(node)
  if (types.length === 0) return true
  if (value === null) return types.includes('null')
  if (Array.isArray(value)) return types.includes('array')
  if (typeof value === 'number')
    return types.includes('number') || (Number.isInteger(value) && types.includes('integer'))
  return types.includes(typeof value)
}

function stringFits(node: Node, value: string): boolean {
  if (node.minLength !== undefined && value.length < node.minLength) return false
  if (node.maxLength !== undefined && value.length > node.maxLength) return false
  return node.pattern === undefined || patternOf(node.pattern).test(value)
}

function numberFits(node: Node, value: number): boolean {
  if (node.minimum !== undefined && value < node.minimum) return false
  if (node.maximum !== undefined && value > node.maximum) return false
  if (node.exclusiveMinimum !== undefined && value <= node.exclusiveMinimum) return false
  if (node.exclusiveMaximum !== undefined && value >= node.exclusiveMaximum) return false
  return node.multipleOf === undefined || value % node.multipleOf === 0
}

function arrayFits(node: Node, value: readonly unknown[], components: Described['components']): boolean {
  if (node.minItems !== undefined && value.length < node.minItems) return false
  if (node.maxItems !== undefined && value.length > node.maxItems) return false
  const prefix = node.prefixItems ?? []
  const { items } = node
  return value.every((item, n) => {
    const member = prefix[n] ?? items
    return member === undefined || member === true || (member !== false && fits(member, item, components))
  })
}

function objectFits(node: Node, value: Record<string, unknown>, components: Described['components']): boolean {
  const { properties = {}, required = [], additionalProperties = true } = node
  if (!required.every(key => Object.hasOwn(value, key))) return false
  return Object.keys(value).every(key => {
    const member = Object.hasOwn(properties, key) ? properties[key]! : additionalProperties
    return member === true || (member !== false && fits(member, value[key], components))
  })
}

const patterns = new Map<string, RegExp>()

/** Compiled once: patterns come from schemas, so there are as many as there are schemas. */
export function patternOf(source: string): RegExp {
  let pattern = patterns.get(source)
  if (!pattern) patterns.set(source, (pattern = safePattern(source)))
  return pattern
}

function safePattern(source: string): RegExp {
  try {
    return new RegExp(source, 'u')
  } catch {
    return new RegExp(source)
  }
}
