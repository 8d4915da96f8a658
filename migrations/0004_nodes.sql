-- What several nodes on one database tell each other.

-- Which node has leased a letter: only that one gives it back before the lease ends.
alter table letters add column leased_by text;

-- How often somebody asked within a window, on all nodes together.
create table rates (
    name text not null,
    began_at bigint not null,
    tally bigint not null,
    expires_at bigint not null,
    primary key (name, began_at)
);
create index rates_end on rates (expires_at);

-- Buckets of guesses, each as the moment at which it is full again.
create table guesses (
    name text primary key,
    full_at bigint not null
);
create index guesses_full on guesses (full_at);

-- What one node does for all of them, and until when it has it to itself.
create table leases (
    name text primary key,
    leased_until bigint not null
);

-- How often something changed that nodes remember: whoever knows another number looks again.
create table notices (
    topic text primary key,
    number bigint not null
);
