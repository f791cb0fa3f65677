import { connect } from 'millrace/postgres'

// The same database that the app's postgres() finds: DATABASE_URL, or an embedded server with its data in .millrace/.
const db = await connect()
await db.script(`
  create table if not exists products (
    id int primary key, name text not null, price_cents int not null, stock int not null check (stock >= 0)
  );
  insert into products values (7, 'Lamp', 4900, 12) on conflict do nothing`)
await db.close()
