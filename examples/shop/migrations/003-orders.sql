create table orders (
  id uuid primary key default gen_random_uuid(),
  cart_id uuid not null unique references carts,
  email text not null,
  status text not null default 'placed',
  total_cents bigint not null check (total_cents >= 0),
  created_at timestamptz not null default now()
);

-- Name and price as they were when the order was placed.
create table order_items (
  order_id uuid not null references orders on delete cascade,
  product_id integer not null references products,
  name text not null,
  quantity integer not null check (quantity >= 1),
  price_cents integer not null check (price_cents >= 0),
  primary key (order_id, product_id)
);
