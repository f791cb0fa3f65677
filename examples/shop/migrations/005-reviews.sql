-- Reviews, where there is no MongoDB for them. Ids grow, so that they tell the order of what was written in one instant.
create table reviews (
  id bigint generated always as identity primary key,
  product_id integer not null references products,
  created_at timestamptz not null default now(),
  document jsonb not null check ((document->>'rating')::int between 1 and 5)
);

create index reviews_newest on reviews (product_id, created_at desc, id desc);
