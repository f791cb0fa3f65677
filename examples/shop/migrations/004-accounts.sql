create table accounts (
  id uuid primary key default gen_random_uuid(),
  email text not null,
  -- In the PHC form; says itself how it was made.
  password_hash text not null,
  created_at timestamptz not null default now()
);

-- One account for an address, however it is written.
create unique index accounts_email on accounts (lower(email));

-- Null: ordered by a guest.
alter table orders add column account_id uuid references accounts;
create index orders_account on orders (account_id, created_at desc, id desc) where account_id is not null;
