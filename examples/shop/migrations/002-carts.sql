create table carts (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz not null default now(),
  -- Set once; an ordered cart takes no more items and cannot be ordered again.
  ordered_at timestamptz
);

create table cart_items (
  cart_id uuid not null references carts on delete cascade,
  product_id integer not null references products,
  quantity integer not null constraint cart_items_quantity check (quantity between 1 and 999),
  primary key (cart_id, product_id)
);
