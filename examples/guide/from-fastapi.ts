import { App, dependency, fail } from 'millrace'
import * as z from 'zod'

// class Item(BaseModel): the id gives it a name in the document.
const Item = z
  .object({ name: z.string().max(80), price: z.number().positive(), tags: z.array(z.string()).default([]) })
  .meta({ id: 'Item' })

// def get_db(): ... yield db ... ; `scope: 'worker'` is what a lifespan would put into app.state.
const items = dependency({ scope: 'worker' }, function* () {
  const items = new Map<number, z.infer<typeof Item>>([[1, { name: 'Lamp', price: 49.5, tags: [] }]])
  yield items
  items.clear()
})

// app = FastAPI(); errors, statuses and the reading of inputs are FastAPI's, for clients that already speak them.
const app = new App({ title: 'Items', version: '1.0.0', errorFormat: 'fastapi' })

// @app.get("/items/{item_id}", response_model=Item)
// async def read_item(item_id: int, q: str | None = None, items = Depends(get_items)): ...
app.get(
  '/items/{item_id}',
  {
    params: z.object({ item_id: z.int() }),
    query: z.object({ q: z.string().optional() }),
    returns: Item,
    uses: { items },
  },
  ({ params, items }) => items.get(params.item_id) ?? fail(404, 'Item not found'), // raise HTTPException(404, ...)
)

// @app.put("/items/{item_id}", status_code=201)
app.put(
  '/items/{item_id}',
  { params: z.object({ item_id: z.int() }), body: Item, returns: { 201: Item }, uses: { items } },
  ({ params, body, items, defer, log }) => {
    items.set(params.item_id, body)
    defer(() => log.info(`${body.name} was written`)) // background_tasks.add_task(...)
    return body
  },
)

export default app
