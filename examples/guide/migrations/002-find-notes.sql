-- millrace: no transaction
create index concurrently if not exists notes_text on notes (text);
