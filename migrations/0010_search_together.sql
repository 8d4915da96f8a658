-- An index of trigrams takes all new members of a commit together: one by one costs it a segment each. `schema.rs` has the
-- statement that does it.
drop trigger search_memberships_insert;
create trigger search_memberships_insert after insert on memberships begin
    insert into search_numbers (membership_id) values (new.id);
end;
