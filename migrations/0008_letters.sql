-- How many letters were refused is told to whoever watches, every few seconds.
create index letters_refused on letters (refused_at) where refused_at is not null;
