// The sample shop that the tests work on. Every value under a mask is planted: unique, greppable, and never to be seen.

import { createHash } from 'node:crypto'

/** Values that no masked client, no record, no log and no error may ever show. */
export const planted = {
  email: 'ada.planted-4417@example.test',
  ssn: '917-66-4417',
  otherEmail: 'bob.planted-5528@example.test',
  otherSsn: '928-77-5528',
  /** A number, for the paths that do not go through text. */
  salary: 91_748_817,
} as const

export const plantedTexts: readonly string[] = [
  planted.email,
  planted.ssn,
  planted.otherEmail,
  planted.otherSsn,
  String(planted.salary),
]

/** The spellings in which a planted text could come out: as it is, hex, base64, reversed, and hashed as the server would. */
export function spellings(text: string): readonly string[] {
  const bytes = Buffer.from(text)
  const hashes = ['md5', 'sha256'].map((name) => createHash(name).update(bytes).digest('hex'))
  return [text, bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, ''), bytes.toReversed().toString(), ...hashes]
}

export const shop = `
create table customers (
  id int primary key, name text not null, email text, ssn text check (ssn <> 'forbidden'), salary int, note text default ''
);
insert into customers values
  (1, 'Ada', '${planted.email}', '${planted.ssn}', ${planted.salary}, 'first'),
  (2, 'Bob', '${planted.otherEmail}', '${planted.otherSsn}', 52000, 'second'),
  (3, 'Cyd', null, null, null, 'third');
create table orders (id int primary key, customer int references customers, total numeric(10,2), placed date default '2026-01-02');
insert into orders select n, 1 + n % 3, n * 1.5 from generate_series(1, 100) n;
create table scratch (k text, v text);
create table numbers as select n as id, md5(n::text) as filler from generate_series(1, 20000) n;
create view contacts as select id, name, email from customers;
create view addresses as select email as harmless from contacts;
create function leak() returns text language sql security definer as 'select ssn from public.customers where id = 1';
create function blurt() returns void language plpgsql as
  $$ begin raise notice 'it is %', (select ssn from public.customers where id = 1); end $$;
create function imm() returns text language sql immutable as 'select ssn from public.customers where id = 1';
create schema priv;
create table priv.orders (id int, secret text);
insert into priv.orders values (1, '${planted.ssn}');
create table staff (id int primary key, boss int) ;
grant usage, create on schema public, priv to public;
grant all on all tables in schema public, priv to public;
analyze;
`
