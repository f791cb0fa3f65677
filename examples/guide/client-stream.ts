import { client } from 'millrace/client'
import type * as routes from './ticks.ts'

export async function firstTicks(url: string, count: number): Promise<number[]> {
  const api = client<typeof routes>(url)
  const answer = await api.get('/ticks')
  if (answer.status !== 200) throw new Error(answer.body.title)
  const seen: number[] = []
  for await (const { data, id } of answer.body) {
    console.log(id, data.at)
    // Leaving the loop ends the request; so does `signal`.
    if (seen.push(data.n) === count) break
  }
  return seen
}
