import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearestName } from '../../src/core/nearest-name.ts'

const FLAGS = ['port', 'host', 'workers', 'grace-timeout']

test('a name is found through a missing, extra, wrong or swapped letter', () => {
  for (const typed of ['por', 'porrt', 'pork', 'prot', 'PORT']) assert.equal(nearestName(typed, FLAGS), 'port', typed)
  assert.equal(nearestName('worker', FLAGS), 'workers')
  assert.equal(nearestName('gracetimeout', FLAGS), 'grace-timeout')
})

test('nothing is suggested for a name that is like none', () => {
  for (const typed of ['x', 'verbose', '']) assert.equal(nearestName(typed, FLAGS), undefined, typed)
  assert.equal(didYouMean('verbose', FLAGS), '')
})
