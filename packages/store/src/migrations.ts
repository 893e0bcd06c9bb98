// The database's shape, step by step. A step that was released is never changed; a new one is added below it.

export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
}

const control = `
create table sallyport.tokens (
  id text primary key, identity text not null, on_behalf_of text, lookup text not null unique, verifiers jsonb not null,
  created_at timestamptz not null, expires_at timestamptz not null, revoked_at timestamptz, created_by text not null
);
create index tokens_identity on sallyport.tokens (identity);

create table sallyport.reviews (
  id text primary key, session text not null, statement bigint not null, identity text not null, on_behalf_of text, target text not null,
  text text not null, parameters jsonb not null, effects jsonb not null, binding text not null, asks jsonb not null,
  created_at timestamptz not null, expires_at timestamptz not null,
  state text not null check (state in ('open', 'approved', 'denied', 'expired', 'withdrawn')), settled_at timestamptz
);
create index reviews_created on sallyport.reviews (created_at desc);
create index reviews_open on sallyport.reviews (created_at desc) where state = 'open';

create table sallyport.decisions (
  review text not null references sallyport.reviews on delete cascade, reviewer text not null,
  kind text not null check (kind in ('approve', 'deny')), reason text not null, at timestamptz not null, groups jsonb not null,
  primary key (review, reviewer)
);

create table sallyport.definitions (
  revision bigint generated always as identity primary key, text text not null, written_by text not null,
  written_at timestamptz not null default now()
);
`

/** Blocks have no default partition: a row for a day that has none fails the batch instead of landing where nobody looks. */
const record = `
create table sallyport.nodes (name text primary key, position bigint not null default 0, shipped_at timestamptz);

create table sallyport.node_keys (
  id text primary key, node text not null, public_key text not null, added_at timestamptz not null default now()
);

create table sallyport.sessions (
  id text primary key, node text not null, identity text not null, identity_id text not null, identity_kind text not null,
  groups jsonb not null, on_behalf_of text, target text not null, protocol text not null, client_address text not null,
  application text, tls boolean not null, started_at timestamptz not null, ended_at timestamptz, outcome text,
  statements bigint not null default 0, denied bigint not null default 0, bytes bigint not null default 0,
  spool_number bigint not null, frames bigint not null, blocks bigint not null, hash bytea not null,
  highest_statement bigint not null, checkpointed bigint not null, last_at timestamptz not null
);
create index sessions_started on sallyport.sessions (started_at desc, id desc);
create index sessions_identity on sallyport.sessions (identity, started_at desc);
create index sessions_target on sallyport.sessions (target, started_at desc);
create index sessions_live on sallyport.sessions (node) where ended_at is null;

create table sallyport.statements (
  session text not null, number bigint not null, at timestamptz not null, kind text not null, text text not null,
  parameters jsonb not null, effects jsonb not null, held boolean not null, provenance text,
  ruling text, cause text, rule text, reason text, reviewers jsonb, masks jsonb, forwarded text,
  rows bigint, bytes bigint, duration_ms double precision, error text,
  primary key (session, number)
);
create index statements_at on sallyport.statements (at desc);

create table sallyport.blocks (
  day date not null, session text not null, number bigint not null, first_frame bigint not null, frames bigint not null,
  first_at timestamptz not null, previous bytea not null, hash bytea not null, encoding text not null, raw_bytes bigint not null,
  bytes bytea not null,
  primary key (session, number, day)
) partition by range (day);
alter table sallyport.blocks alter column bytes set storage external;

create table sallyport.checkpoints (
  key text not null, number bigint not null, session text not null, body text not null, signature bytea not null,
  primary key (key, number)
);
create index checkpoints_session on sallyport.checkpoints (session, key, number);
`

/** For reading the record in the order of time, and for persons who look for what was done on their behalf. */
const inOrder = `
create index sessions_ended on sallyport.sessions (ended_at, id) where ended_at is not null;
create index sessions_on_behalf on sallyport.sessions (on_behalf_of, started_at desc) where on_behalf_of is not null;
`

const tools = `
create table sallyport.tools (
  place text not null, name text not null, digest text not null, seen_at timestamptz not null default now(), primary key (place, name)
)
`

export const migrations: readonly Migration[] = [
  { number: 1, name: 'tokens, reviews, definitions', sql: control },
  { number: 2, name: 'the record', sql: record },
  { number: 3, name: 'the record in order', sql: inOrder },
  { number: 4, name: 'tokens of logins at identity providers', sql: 'alter table sallyport.tokens add column login jsonb' },
  { number: 5, name: 'what tools say of themselves', sql: tools },
]
